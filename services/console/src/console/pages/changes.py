"""Changes page: the history of a package's settings, with a button that undoes a change."""

import json
from typing import Any

from nicegui import ui

from console.core import formats
from console.core.api_models import ApiChange, ApiChangeList
from console.core.conflict import SOMEBODY
from console.core.markup import join, tag
from console.core.setting_texts import label
from console.data.polling_cache import Query
from console.ui import components
from console.ui.actions import run_action
from console.ui.confirm import confirm
from console.ui.elements import button, html, stack
from console.ui.live_page import LivePage
from console.ui.page_context import PACKAGES, profiles_query
from console.ui.page_heads import package_head

VALUE_CHARACTERS_MAX = 120


async def show(page: LivePage, package_id: str) -> None:
    context = page.context
    changes = Query("ingress", f"/packages/{package_id}/changes?limit=100", ApiChangeList, interval_seconds=3.0)
    await context.cache.load(PACKAGES, changes, profiles_query(package_id))
    package_head(page, package_id, "Who changed what, and when. Undo reverts a change.")
    page.stale_notices(lambda: context.page_data(changes, "changes"))
    content = stack("stack")
    shown: list[ApiChangeList | None] = [None]

    async def undo(change: ApiChange) -> None:
        names = ", ".join(label(item.pointer) for item in change.differences[:4]) or "the change"
        words = f"This sets back: {names}. It takes effect at once."
        if not await confirm(f"Undo change {change.number}?", words, "Undo", is_danger=False):
            return
        path = f"/packages/{package_id}/changes/{change.number}/undo"
        if await run_action(context, "POST", "ingress", path, success=f"Change {change.number} undone."):
            for query in (changes, PACKAGES, profiles_query(package_id)):
                context.cache.refresh(query)

    def update() -> None:
        latest = context.latest(changes)
        if latest is None or latest is shown[0]:
            return
        shown[0] = latest
        content.clear()
        with content:
            for change in latest.data:
                _build(page, package_id, change, lambda change=change: undo(change))

    page.on_update(update)


def _build(page: LivePage, package_id: str, change: ApiChange, undo: Any) -> None:
    when = formats.clock(change.at, page.context.zone(package_id), page.context.now())
    who = change.who or SOMEBODY
    names = page.context.profile_names(package_id)
    lines = [(label(item.pointer, names), _value(item.before), _value(item.after)) for item in change.differences]
    notes = [f"undoes change {change.undoes}"] if change.undoes else []
    notes += [f"undone by change {change.undone_by}"] if change.undone_by else []
    with stack("card").props(f'data-testid="change-{change.number}"'):
        with ui.element("div").classes("card-head"):
            html(
                tag(
                    "div",
                    tag("h2", f"{change.number} · {who}"),
                    tag("p", " · ".join([when, *notes]), class_="soft small"),
                )
            )
            if change.undoable:
                button("Undo", undo).props(
                    f'data-testid="undo-{change.number}" aria-label="Undo change {change.number}"'
                )
            elif change.why_not_undoable and not change.undone_by:
                html(tag("span", undo_words(change.why_not_undoable), class_="faint small"))
        if any(item.pointer == "" for item in change.differences):
            html(tag("p", "The package was created."))
        else:
            html(components.table(("Setting", "From", "To"), lines, fixed=True))


def undo_words(why: str) -> str:
    """Why a change cannot be undone, in the operator's words."""
    if "by removing or adding the thing itself" in why:
        return "Cannot be undone here: add or remove the phone instead."
    return why


def _value(value: Any) -> Any:
    if value is None:
        return tag("span", "–", class_="faint")
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    shown = text if len(text) <= VALUE_CHARACTERS_MAX else text[:VALUE_CHARACTERS_MAX] + " …"
    return tag("code", shown) if isinstance(value, dict | list) else join(shown)
