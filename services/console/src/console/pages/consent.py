"""Consent page: who must not be written to, and who asked to be; adding, lifting, and lists from a file."""

from dataclasses import dataclass
from pathlib import Path

from nicegui import ui

from console.core import formats
from console.core.api_models import ListedPage
from console.core.markup import tag, together
from console.core.message_body import numbers
from console.data.api import Given
from console.data.polling_cache import Question
from console.pages.package import title
from console.ui import components
from console.ui.actions import act, tell, trouble
from console.ui.editor import button
from console.ui.elements import html, stack
from console.ui.live_page import Screen
from console.ui.page_context import PACKAGES

IMPORT_SECONDS = 300.0
ROWS = 100


@dataclass(frozen=True, slots=True)
class Kind:
    path: str
    title: str
    words: str
    empty: str


SUPPRESSIONS = Kind("suppressions", "Suppressed", "No open message goes to them; what is held stops. Replies go out.",
                    "Nobody is suppressed.")  # fmt: skip
OPT_INS = Kind(
    "opt-ins",
    "Opted in",
    "Where the package writes only to who asked for it, these are they.",
    "Nobody is on the list.",
)


async def show(screen: Screen, package_id: str) -> None:
    await screen.desk.feed.first(PACKAGES)
    title(screen, package_id, "Who must not be written to, and who asked to be.")
    with ui.element("div").classes("grid2"):
        for kind in (SUPPRESSIONS, OPT_INS):
            with stack("card").props(f'data-testid="{kind.path}"'):
                ConsentList(screen, f"/packages/{package_id}/{kind.path}", kind).build()


class ConsentList:
    def __init__(self, screen: Screen, path: str, kind: Kind) -> None:
        self._screen = screen
        self._path = path
        self._kind = kind
        self._shown: ListedPage | None = None
        self._wanted = ""

    @property
    def _question(self) -> Question[ListedPage]:
        wanted = f"&recipient={self._wanted}" if self._wanted else ""
        return Question("ingress", f"{self._path}?limit={ROWS}{wanted}", ListedPage, every_seconds=2.0)

    def build(self) -> None:
        html(tag("div", tag("h2", self._kind.title), tag("p", self._kind.words, class_="soft small")))
        with stack("line"):
            typed = (
                ui.input(placeholder="Numbers to add")
                .props('outlined dense aria-label="Numbers to add"')
                .style("flex:1")
            )
            button("Add", lambda: self._add(typed), "button-main")
        label = "Or choose a CSV file with a column of numbers"
        self._screen.desk.uploads.field(label, ".csv,.txt", self._import, f"{self._kind.path}-file")
        self._imported = html(together())
        search = ui.input(placeholder="Find a number", on_change=lambda event: self._find(event.value))
        search.props('outlined dense clearable aria-label="Find a number"')
        self._place = stack("stack tight")
        self._screen.follow(self._look)

    def _find(self, typed: str | None) -> None:
        found = numbers(typed or "")
        self._wanted = found[0] if found and 7 <= len(found[0]) <= 15 and found[0].isdecimal() else ""

    async def _add(self, typed: ui.input) -> None:
        wanted = numbers(typed.value or "")
        if not wanted:
            tell("Type at least one number.", bad=True)
        elif await act(self._screen.desk, "POST", "ingress", self._path, {"recipients": wanted}, said="Added."):
            typed.set_value("")
            self._screen.desk.feed.again(self._question)

    async def _import(self, _: str, path: Path) -> None:
        """The ingress reads the file piece by piece, and says which lines are wrong."""
        answer = await self._screen.desk.api.call(
            "POST", "ingress", f"{self._path}/import", data=path,
            headers={"Content-Type": "text/csv"}, seconds=IMPORT_SECONDS,
        )  # fmt: skip
        if not isinstance(answer, Given):
            self._imported.set_content(components.notice(trouble(answer, "ingress"), "bad"))
            return
        said = answer.body
        counted = f"{said['added']} added, {said['already']} already there, {said['wrong']} wrong"
        words = f"{formats.plural(said['rows'], 'row')}: {counted}."
        lines = [(str(each["line"]), each["detail"]) for each in said["errors"]]
        table = components.table(("Line", "What is wrong"), lines) if lines else None
        self._imported.set_content(together(components.notice(words, "warn" if lines else "good"), table))

    def _look(self) -> None:
        known = self._screen.desk.look(self._question)
        if known is None or known is self._shown:
            return
        self._shown = known
        self._place.clear()
        with self._place:
            if not known.data:
                html(tag("p", "It is not on this list." if self._wanted else self._kind.empty, class_="soft"))
            for each in known.data:
                with stack("line").style("justify-content:space-between"):
                    why = f"{each.source.replace('_', ' ')}, {formats.ago(each.since, self._screen.desk.now())}"
                    html(
                        tag(
                            "div",
                            tag("span", formats.phone(each.recipient), class_="num"),
                            " ",
                            tag("span", why, class_="soft small"),
                        )
                    )
                    lift = button("Take off", lambda recipient=each.recipient: self._lift(recipient), "button-bare")
                    lift.props(f'aria-label="Take the number ending in {each.recipient[-4:]} off the list"')
            if known.next_cursor is not None:
                html(tag("p", f"The first {ROWS} are shown: search for a number to find others.", class_="soft small"))

    async def _lift(self, recipient: str) -> None:
        if await act(self._screen.desk, "DELETE", "ingress", f"{self._path}/{recipient}", said="Taken off the list."):
            self._screen.desk.feed.again(self._question)
