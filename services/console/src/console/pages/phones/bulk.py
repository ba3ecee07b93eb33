"""Bulk actions: pause, resume, move or remove some phones, after a question that says how many they are."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from markupsafe import Markup
from nicegui import ui

from console.core import formats
from console.core.markup import join, tag
from console.core.phones.phone_list import Phone
from console.core.phones.queue_words import removal_words
from console.data.api import CallResult, CallSucceeded
from console.ui.actions import error_text, notify
from console.ui.confirm import confirm
from console.ui.elements import button, html, stack
from console.ui.page_context import PACKAGES, PageContext, profiles_query, queue_query

AT_ONCE = 6
FAILURES_SHOWN_MAX = 3
MOVE_EFFECTS = "Conversations stay with the present package. Settings, credentials and the link to WhatsApp move along."

Call = Callable[[Phone], Awaitable[CallResult]]


def names(phones: Sequence[Phone]) -> str:
    """`“Sales 1”`, or `12 phones`."""
    return f"“{phones[0].name}”" if len(phones) == 1 else formats.plural(len(phones), "phone")


async def pause(context: PageContext, phones: Sequence[Phone]) -> bool:
    words = "They send nothing until you resume them. Their waiting messages wait."
    if not await confirm(f"Pause {names(phones)}?", words, f"Pause {names(phones)}", is_danger=False):
        return False
    return await _run(context, phones, "paused", lambda phone: _post(context, phone, "pause"))


async def resume(context: PageContext, phones: Sequence[Phone]) -> bool:
    words = "They send again: campaign messages that wait go out within the limits."
    if not await confirm(f"Resume {names(phones)}?", words, f"Resume {names(phones)}", is_danger=False):
        return False
    return await _run(context, phones, "resumed", lambda phone: _post(context, phone, "resume"))


async def remove(context: PageContext, phones: Sequence[Phone]) -> bool:
    """Ask with the number of waiting messages, and what happens to them."""
    if not await confirm(f"Remove {names(phones)}?", await _queue_words(context, phones), f"Remove {names(phones)}"):
        return False
    return await _run(context, phones, "removed", lambda phone: context.api.call("DELETE", "ingress", _path(phone)))


async def move(context: PageContext, phones: Sequence[Phone]) -> bool:
    """Ask for the package, and move the phones that are not in it yet."""
    packages = context.latest(PACKAGES)
    present = {phone.package_id for phone in phones}
    others = {each.package_id: each.name for each in packages.data} if packages else {}
    others = {name: words for name, words in others.items() if present != {name}}
    if not others:
        notify("There is no other package to move to.", is_error=True)
        return False
    words = join(tag("p", MOVE_EFFECTS, class_="soft"), await _queue_words(context, phones))
    with ui.dialog() as dialog, ui.card().classes("confirm").props('role="alertdialog" data-testid="move-dialog"'):
        html(tag("h2", f"Move {names(phones)} to another package?"))
        html(words)
        target = ui.select(others, label="Package").props('outlined dense data-testid="move-to"').style("width:100%")
        with stack("line confirm-buttons"):
            button("Go back", lambda: dialog.submit(None)).props('autofocus data-testid="confirm-back"')
            move_button = button("Move", lambda: dialog.submit(target.value), "button-main").props(
                'data-testid="confirm"'
            )
        move_button.set_enabled(False)
        target.on_value_change(lambda: move_button.set_enabled(bool(target.value)))
    package_id = await dialog
    dialog.delete()
    if not package_id:
        return False
    moved = [phone for phone in phones if phone.package_id != package_id]
    body = {"package_id": package_id}
    return await _run(
        context, moved, "moved", lambda phone: context.api.call("POST", "ingress", f"{_path(phone)}/move", body)
    )


async def _queue_words(context: PageContext, phones: Sequence[Phone]) -> Markup:
    """What happens to the waiting messages of these phones."""
    packages = sorted({phone.package_id for phone in phones})
    await context.cache.load_anew(PACKAGES, *map(queue_query, packages))
    sentences = [
        removal_words(
            package.name,
            context.latest(queue_query(package_id)),
            [phone.profile_id for phone in phones if phone.package_id == package_id],
            len(package.profile_ids),
        )
        for package_id in packages
        if (package := context.package(package_id)) is not None
    ]
    return join(*(tag("p", sentence, class_="soft") for sentence in sentences))


async def _run(context: PageContext, phones: Sequence[Phone], done: str, call: Call) -> bool:
    """Call the API for each phone, and say how it went."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(phone: Phone) -> str:
        async with turns:
            result = await call(phone)
        return "" if isinstance(result, CallSucceeded) else f"{phone.name}: {error_text(result, 'ingress')}"

    failures = [words for words in await asyncio.gather(*map(one, phones)) if words]
    context.cache.refresh(PACKAGES)
    for package_id in {phone.package_id for phone in phones}:
        context.cache.refresh(profiles_query(package_id))
    said = " ".join(failures[:FAILURES_SHOWN_MAX])
    more = f" And {len(failures) - FAILURES_SHOWN_MAX} more." if len(failures) > FAILURES_SHOWN_MAX else ""
    succeeded = len(phones) - len(failures)
    if failures:
        notify(f"{formats.plural(succeeded, 'phone')} {done}, {len(failures)} not. {said}{more}", is_error=True)
    else:
        notify(f"{formats.plural(succeeded, 'phone')} {done}.")
    return succeeded > 0


async def _post(context: PageContext, phone: Phone, verb: str) -> CallResult:
    return await context.api.call("POST", "ingress", f"{_path(phone)}/{verb}")


def _path(phone: Phone) -> str:
    return f"/packages/{phone.package_id}/profiles/{phone.profile_id}"
