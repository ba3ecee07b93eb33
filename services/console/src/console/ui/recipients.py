"""Recipients: whom a message goes to: typed in, or from a file whose column one chooses."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

from markupsafe import Markup
from nicegui import ui

from console.core import formats
from console.core.markup import tag, together
from console.core.message_body import numbers
from console.core.recipient_list import Scan, column_names, guess_column
from console.data.spreadsheets import Sheet, Unreadable, new_sheet
from console.ui import components
from console.ui.elements import html, stack
from console.ui.live_page import Screen

PIECE_MAX = 100_000
ERRORS_SHOWN_MAX = 100


class Recipients:
    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._sheet: Sheet | None = None
        self._scan: Scan | None = None
        self._trouble = ""
        self._typed = ""
        ui.context.client.on_delete(self._forget)

    @property
    def count(self) -> int:
        return self._scan.good if self._scan is not None else len(numbers(self._typed))

    @property
    def is_ready(self) -> bool:
        return self.count > 0 and (self._scan is None or self._scan.done)

    def pieces(self, skip: int = 0) -> Iterator[list[str]]:
        """All of them, as many at once as one request takes."""
        if self._sheet is not None and self._scan is not None:
            yield from self._sheet.pieces(PIECE_MAX, skip)
            return
        typed = list(dict.fromkeys(numbers(self._typed)))
        yield from (typed[place : place + PIECE_MAX] for place in range(skip * PIECE_MAX, len(typed), PIECE_MAX))

    def build(self) -> None:
        html(tag("div", tag("h2", "To whom"), class_="card-head"))
        area = ui.textarea(on_change=lambda event: self._type(event.value)).props(
            'outlined dense autogrow aria-label="Recipients" placeholder="201001234567, 201001234568 …" '
            'input-style="max-height: 10rem" data-testid="recipients"'
        )
        area.classes("w-full").style("width:100%")
        words = (
            "Numbers in international form, with commas, spaces or lines between. Or a list from a file (CSV or XLSX):"
        )
        html(tag("p", words, class_="soft small"))
        self._screen.desk.uploads.field("Choose a file", ".csv,.txt,.xlsx", self._take)
        self._columns = stack("stack tight")
        self._screen.piece(self._paint, testid="import")

    def _type(self, typed: str | None) -> None:
        self._typed = typed or ""

    async def _take(self, name: str, path: Path) -> None:
        self._forget()
        try:
            self._sheet = new_sheet(name, path)
            rows = await asyncio.to_thread(self._sheet.first)
        except Unreadable as reason:
            self._fail(str(reason))
            return
        if not rows:
            self._fail("The file is empty.")
            return
        column = guess_column(rows[0], rows[1] if len(rows) > 1 else [])
        self._choose(column_names(rows[0]), column)
        self._begin(column)

    def _choose(self, names: list[str], column: int) -> None:
        self._columns.clear()
        with self._columns:
            html(tag("span", "The column with the numbers", class_="field-label"))
            choice = ui.select(dict(enumerate(names)), value=column, on_change=lambda event: self._begin(event.value))
            choice.props('outlined dense aria-label="The column with the numbers" data-testid="column"')

    def _begin(self, column: int) -> None:
        scan = self._scan = Scan()
        sheet = self._sheet

        async def run() -> None:
            assert sheet is not None
            try:
                await asyncio.to_thread(sheet.scan, column, scan)
            except Unreadable as reason:
                self._fail(str(reason))

        self._trouble = ""
        self._running = asyncio.create_task(run())

    def _fail(self, words: str) -> None:
        self._trouble = words
        self._scan = None

    def _paint(self) -> Markup:
        if self._trouble:
            return components.notice(self._trouble, "bad", "import-trouble")
        if (scan := self._scan) is None:
            return together()
        fill = tag("div", class_="fill", style=f"width:{scan.read_share:.0%}")
        bar = tag("div", fill, class_="track track-tall", role="progressbar", aria_label="How much is read",
                  aria_valuemin="0", aria_valuemax="100", aria_valuenow=f"{scan.read_share * 100:.0f}")  # fmt: skip
        counted = [
            ("recipients", scan.good),
            ("wrong rows", scan.wrong),
            ("repeated", scan.repeated),
            ("empty", scan.empty),
        ]
        legend = [tag("span", tag("b", formats.count(number)), f" {name}") for name, number in counted]
        return together(bar, tag("div", *legend, class_="legend", data_testid="import-counts"), self._errors(scan))

    def _errors(self, scan: Scan) -> Markup | None:
        if not scan.errors:
            return None
        lines = [(str(each.line), tag("code", each.cell), each.why) for each in scan.errors[:ERRORS_SHOWN_MAX]]
        more = scan.wrong - len(lines)
        top = tag("summary", tag("b", formats.plural(scan.wrong, "row")), " cannot be used: they get nothing")
        rest = tag("p", f"and {formats.count(more)} more", class_="soft small") if more > 0 else None
        table = components.table(("Line", "Cell", "What is wrong"), lines, testid="import-errors")
        return tag("details", top, table, rest, open=scan.done, class_="fold")

    def _forget(self) -> None:
        if self._sheet is not None:
            self._sheet.forget()
        self._sheet = self._scan = None
        self._trouble = ""
