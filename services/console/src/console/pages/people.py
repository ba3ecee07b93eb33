"""People page: what is known about a phone number, and the erasure of the person."""

from collections.abc import Mapping

from markupsafe import Markup
from nicegui import ui

from console.core import formats
from console.core.markup import join, tag
from console.core.recipients.person import (
    ApiErasure,
    ApiPerson,
    deliveries_text,
    listings_text,
    reading_text,
    removed_text,
    words_text,
)
from console.data.polling_cache import Query
from console.ui import components
from console.ui.actions import notify, run_action
from console.ui.elements import button, html, stack
from console.ui.live_page import LivePage
from console.ui.page_context import PACKAGES
from spreader.phone.dressed_number import NoNumber, read_number

SUBTITLE = "What is known about a phone number, in all packages. A person who asks for it can be erased."
WARNING = (
    "Every service removes the number. Held messages to it are cancelled. This cannot be undone. Messages that the "
    "person writes or gets later are stored again."
)


async def show(page: LivePage) -> None:
    await page.context.cache.load(PACKAGES)
    html(components.page_head("People", SUBTITLE))
    Person(page).build()


class Person:
    """The search field, and what is known about the number that the operator looked up."""

    def __init__(self, page: LivePage) -> None:
        self._page = page
        self._recipient = ""

    @property
    def _query(self) -> Query[ApiPerson]:
        return Query("ingress", f"/recipients/{self._recipient}", ApiPerson, interval_seconds=2.0)

    @property
    def _person(self) -> ApiPerson | None:
        return self._page.context.latest(self._query) if self._recipient else None

    def build(self) -> None:
        with stack("card"), stack("line"):
            field = ui.input("Phone number", placeholder="201001234567")
            field.props('outlined dense data-testid="person"').style("flex:1;max-width:24rem")
            button("Look up", lambda: self._find(field.value), "button-main").props('data-testid="find-person"')
            field.on("keydown.enter", lambda: self._find(field.value))
        self._page.live_html(self._render, testid="known")
        erase = button("Erase this person", lambda: dialog.open(), "button-danger").props('data-testid="erase"')
        dialog = self._dialog()

        def update() -> None:
            erase.set_visibility(self._person is not None)

        self._page.on_update(update)

    def _find(self, typed: str | None) -> None:
        found = read_number(typed or "")
        if isinstance(found, NoNumber):
            notify("Enter one phone number in international form, such as 201001234567.", is_error=True)
            return
        self._recipient = found
        self._page.context.cache.refresh(self._query)

    def _dialog(self) -> ui.dialog:
        async def erase() -> None:
            dialog.close()
            path, body = f"/recipients/{self._recipient}/erase", {"keep_suppression": keep.value}
            success = "Erasing. The page shows what each service has removed."
            if await run_action(self._page.context, "POST", "ingress", path, body, success=success):
                self._page.context.cache.refresh(self._query)

        with ui.dialog() as dialog, ui.card():
            html(tag("h2", "Erase this person?"))
            html(tag("p", WARNING, class_="soft"))
            keep = ui.checkbox("Keep the number on the suppression lists on which it is", value=True)
            keep.props('data-testid="keep-suppression"')
            with stack("line"):
                button("Leave it", dialog.close)
                button("Erase the person", erase, "button-danger").props('data-testid="erase-surely"')
        return dialog

    def _render(self) -> Markup:
        if not self._recipient:
            return components.empty("search", "Who?", tag("p", "Enter a number to see what is known about it."))
        context, person = self._page.context, self._person
        stale = context.notices(context.page_data(self._query, "data of the person"))
        notices = join(*map(components.notice, stale))
        if person is None:
            return notices or tag("p", "Looking …", class_="soft")
        missing = [components.notice(f"No answer from {name}: {why}.") for name, why in person.unavailable.items()]
        erasure = None if person.erasure is None else self._erasure(person.erasure)
        return join(notices, *missing, self._known(person), erasure)

    def _known(self, person: ApiPerson) -> Markup:
        now = self._page.context.now()
        packages = self._page.context.latest(PACKAGES)
        names = {package.package_id: package.name for package in packages.data} if packages else {}
        talks = (
            None
            if person.conversations is None
            else [
                self._phone(conversation.package_id, conversation.profile_id, names)
                for conversation in person.conversations
            ]
        )
        facts = [
            ("Suppressed", listings_text(person.suppressions, names)),
            ("Opted in", listings_text(person.opt_ins, names)),
            ("Possible opt-outs", words_text(person.possible_opt_outs)),
            ("Hidden ids", ", ".join(each.hidden_id for each in person.hidden_ids) or "none"),
            ("Messages", deliveries_text(person.deliveries)),
            ("First seen", formats.ago(person.deliveries.first_at, now)),
            ("Last seen", formats.ago(person.deliveries.last_at, now)),
            ("Talks to", formats.UNKNOWN if talks is None else ", ".join(talks) or "nobody"),
            ("Reads", reading_text(person.reading)),
        ]
        return components.card(components.facts(facts), title=formats.phone(person.recipient))

    def _phone(self, package_id: str, profile_id: str, packages: Mapping[str, str]) -> str:
        name = self._page.context.all_profile_names(package_id).get(profile_id, profile_id)
        return f"{name} ({packages.get(package_id, package_id)})"

    def _erasure(self, erasure: ApiErasure) -> Markup:
        now, is_done = self._page.context.now(), erasure.status == "done"
        state = components.badge("done" if is_done else "in progress", "good" if is_done else "info")
        by = f" by {erasure.asked_by}" if erasure.asked_by else ""
        kept = "kept" if erasure.keep_suppression else "removed too"
        words = f"Asked for {formats.ago(erasure.at, now)}{by}. Suppressions are {kept}."
        lines = [(name, removed_text(service)) for name, service in erasure.services.items()]
        left = [
            tag("li", f"{each.what}: {formats.until(each.until, now) if each.until else 'as long as they are kept'}")
            for each in erasure.left_to_time
        ]
        return components.card(
            tag("p", words, class_="soft"),
            components.table(("Service", "Rows removed"), lines),
            tag("p", "Only time removes:", class_="soft small"),
            tag("ul", *left),
            title="Erasure",
            beside=state,
            testid="erasure",
        )
