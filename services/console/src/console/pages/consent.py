"""Consent page: the lists of suppressions and opt-ins. An operator can add and remove entries, or import a file."""

from dataclasses import dataclass

from nicegui import ui

from console.core import formats
from console.core.api_models import ApiConsentList
from console.core.markup import tag
from console.core.recipients.typed_numbers import read_typed
from console.data.polling_cache import Query
from console.pages.hidden_messages import HiddenMessageCard
from console.pages.possible_opt_outs import PossibleOptOutCard
from console.ui.actions import notify, run_action
from console.ui.confirm import confirm
from console.ui.elements import button, html, stack
from console.ui.list_import import ListImport
from console.ui.live_page import LivePage
from console.ui.page_context import PACKAGES
from console.ui.page_heads import package_head
from spreader.phone.dressed_number import read_number

ROWS = 100


@dataclass(frozen=True, slots=True)
class ConsentKind:
    """What differs between the two lists, suppressions and opt-ins: the API path and the texts on the page."""

    path: str
    title: str
    words: str
    empty: str
    removal: str
    """What the removal of a number means."""


SUPPRESSIONS = ConsentKind(
    "suppressions",
    "Suppressed",
    "They get no campaign messages, and waiting ones are stopped. Replies are still sent.",
    "Nobody is suppressed.",
    "The person will get campaign messages again. Remove the number only if they asked for it.",
)
OPT_INS = ConsentKind(
    "opt-ins",
    "Opted in",
    'Used only if "Opt-in required" is on.',
    "Nobody has opted in yet.",
    "If opt-in is required, the person gets no more campaign messages.",
)


async def show(page: LivePage, package_id: str) -> None:
    await page.context.cache.load(PACKAGES)
    package_head(page, package_id, "Who must not be written to, and who has agreed.")
    with stack("card").props('data-testid="possible-opt-outs"'):
        PossibleOptOutCard(page, package_id).build()
    HiddenMessageCard(page, package_id).build()
    with ui.element("div").classes("grid2"):
        for kind in (SUPPRESSIONS, OPT_INS):
            with stack("card").props(f'data-testid="{kind.path}"'):
                ConsentList(page, package_id, kind).build()


class ConsentList:
    """The part of the page that shows one of the two lists."""

    def __init__(self, page: LivePage, package_id: str, kind: ConsentKind) -> None:
        self._page = page
        self._package_id = package_id
        self._path = f"/packages/{package_id}/{kind.path}"
        self._kind = kind
        self._shown: ApiConsentList | None = None
        self._search = ""

    @property
    def _query(self) -> Query[ApiConsentList]:
        recipient = f"&recipient={self._search}" if self._search else ""
        return Query("ingress", f"{self._path}?limit={ROWS}{recipient}", ApiConsentList, interval_seconds=2.0)

    @property
    def _country(self) -> str | None:
        return self._page.context.country(self._package_id)

    def build(self) -> None:
        html(tag("div", tag("h2", self._kind.title), tag("p", self._kind.words, class_="soft small")))
        with stack("line"):
            field = (
                ui.input(placeholder="Numbers to add")
                .props('outlined dense aria-label="Numbers to add"')
                .style("flex:1")
            )
            button("Add", lambda: self._add(field), "button-main")
        ListImport(self._page, self._package_id, self._path, f"{self._kind.path}-file").build()
        search_field = ui.input(placeholder="Find a number", on_change=lambda event: self._find(event.value))
        search_field.props('outlined dense clearable aria-label="Find a number"')
        self._content = stack("stack tight")
        self._page.on_update(self._update)

    def _find(self, typed: str | None) -> None:
        found = read_number(typed or "", self._country)
        self._search = found if isinstance(found, str) else ""

    async def _add(self, field: ui.input) -> None:
        typed = read_typed(field.value or "", self._country)
        recipients = list(typed.numbers)
        if typed.wrong or not recipients:
            notify(typed.problem or "Enter at least one number.", is_error=True)
        elif await run_action(
            self._page.context, "POST", "ingress", self._path, {"recipients": recipients}, success="Added."
        ):
            field.set_value("")
            self._page.context.cache.refresh(self._query)

    def _update(self) -> None:
        entries = self._page.context.latest(self._query)
        if entries is None or entries is self._shown:
            return
        self._shown = entries
        self._content.clear()
        with self._content:
            if not entries.data:
                html(tag("p", "It is not on this list." if self._search else self._kind.empty, class_="soft"))
            for entry in entries.data:
                with stack("line").style("justify-content:space-between"):
                    why = f"{entry.source.replace('_', ' ')}, {formats.ago(entry.since, self._page.context.now())}"
                    html(
                        tag(
                            "div",
                            tag("span", formats.phone(entry.recipient), class_="num"),
                            " ",
                            tag("span", why, class_="soft small"),
                        )
                    )
                    remove = button("Remove", lambda recipient=entry.recipient: self._remove(recipient), "button-bare")
                    remove.props(f'aria-label="Remove the number ending in {entry.recipient[-4:]}"')
            if entries.next_cursor is not None:
                html(tag("p", f"The first {ROWS} are shown: search for a number to find others.", class_="soft small"))

    async def _remove(self, recipient: str) -> None:
        number = formats.phone(recipient)
        if not await confirm(f"Remove {number}?", self._kind.removal, "Remove"):
            return
        path = f"{self._path}/{recipient}"
        if await run_action(self._page.context, "DELETE", "ingress", path, success=f"{number} removed."):
            self._page.context.cache.refresh(self._query)
