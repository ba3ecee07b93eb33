"""Recipients: the part of the compose page in which an operator types phone numbers or uploads a file with phone
numbers."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

from markupsafe import Markup
from nicegui import ui

from console.core import formats
from console.core.markup import join, tag
from console.core.recipients.recipient_list import RecipientScan, column_labels, warning_words
from console.core.recipients.typed_numbers import TypedNumbers, read_typed
from console.data.spreadsheets import ColumnReading, Spreadsheet, UnreadableFile, open_spreadsheet
from console.ui import components
from console.ui.column_choice import show_columns
from console.ui.elements import html, stack
from console.ui.live_page import LivePage
from spreader.phone.canonical import one_each
from spreader.phone.number_column import find_layout

BATCH_MAX = 100_000
ERRORS_SHOWN_MAX = 100


class RecipientInput:
    """The recipients of the message that the operator is writing."""

    def __init__(self, page: LivePage, package_id: str) -> None:
        self._page = page
        self._package_id = package_id
        self._file: Spreadsheet | None = None
        self._reading: ColumnReading | None = None
        self._layout = find_layout([])
        self._error = ""
        self._typed = TypedNumbers(())
        ui.context.client.on_delete(self._discard_file)

    @property
    def count(self) -> int:
        return self._reading.scan.valid if self._reading is not None else len(self._typed.numbers)

    @property
    def problem(self) -> str:
        """Why nothing can be sent to these recipients yet. Empty if nothing prevents sending."""
        if self._file is not None and (self._reading is None or not self._reading.is_complete):
            return "The file is still being read: wait until it is complete."
        if self._file is None and self._typed.wrong:
            return self._typed.problem
        return "" if self.count else "Give at least one recipient."

    @property
    def list_name(self) -> object:
        """A value that changes when the list of recipients changes. Each new reading of a file gives another value, and
        so do other typed numbers."""
        return self._reading if self._reading is not None else self._typed.numbers

    def batches(self, skip: int = 0) -> Iterator[list[str]]:
        """The recipients in batches, each small enough for one request. The first `skip` batches are left out.

        Use this only while `problem` is empty.
        """
        if self._reading is not None:
            yield from self._reading.batches(BATCH_MAX, skip)
            return
        typed = list(one_each(self._typed.numbers))
        yield from (typed[start : start + BATCH_MAX] for start in range(skip * BATCH_MAX, len(typed), BATCH_MAX))

    @property
    def _country(self) -> str | None:
        return self._page.context.country(self._package_id)

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
        self._page.context.uploads.field("Choose a file", ".csv,.txt,.xlsx", self._load)
        self._columns = stack("stack tight")
        self._page.live_html(self._render, testid="import")

    def _type(self, typed: str | None) -> None:
        self._typed = read_typed(typed or "", self._country)

    async def _load(self, name: str, path: Path) -> None:
        self._discard_file()
        try:
            file = self._file = open_spreadsheet(name, path)
            rows = await asyncio.to_thread(file.first_rows)
        except UnreadableFile as reason:
            self._fail(str(reason))
            return
        if self._file is not file:  # another file was chosen meanwhile
            return
        if not rows:
            self._fail("The file is empty.")
            return
        layout = self._layout = find_layout(rows, self._country)
        show_columns(self._columns, column_labels(layout, rows, self._country), layout, self._start_reading)
        self._start_reading(layout.column)

    def _start_reading(self, column: int) -> None:
        assert self._file is not None
        self._stop_reading()
        reading = self._reading = ColumnReading(
            self._file, column, self._layout.first_row, RecipientScan(country=self._country, width=self._layout.width)
        )

        async def run() -> None:
            try:
                await asyncio.to_thread(reading.run)
            except UnreadableFile as reason:
                if self._reading is reading:
                    self._fail(str(reason))

        self._error = ""
        self._running = asyncio.create_task(run())

    def _stop_reading(self) -> None:
        if self._reading is not None:
            self._reading.stop()
        self._reading = None

    def _fail(self, error: str) -> None:
        self._discard_file()
        self._columns.clear()
        self._error = error

    def _render(self) -> Markup:
        if self._error:
            return components.notice(self._error, "bad", "import-trouble")
        if self._reading is None:
            return join()
        scan = self._reading.scan
        fill = tag("div", class_="fill", style=f"width:{scan.read_share:.0%}")
        bar = tag(
            "div",
            fill,
            class_="track track-tall",
            role="progressbar",
            aria_label="How much is read",
            aria_valuemin="0",
            aria_valuemax="100",
            aria_valuenow=f"{scan.read_share * 100:.0f}",
        )
        counted = [
            ("recipients", scan.valid),
            ("wrong rows", scan.invalid),
            ("repeated", scan.repeated),
            ("empty", scan.empty),
        ]
        legend = [tag("span", tag("b", formats.count(number)), f" {name}") for name, number in counted]
        warning = warning_words(scan.implausible)
        notice = components.notice(warning, "warn", "number-warning") if warning else None
        counts = tag("div", *legend, class_="legend", data_testid="import-counts")
        return join(bar, counts, notice, self._render_errors(scan))

    def _render_errors(self, scan: RecipientScan) -> Markup | None:
        if not scan.errors:
            return None
        lines = [(str(error.line), tag("code", error.cell), error.why) for error in scan.errors[:ERRORS_SHOWN_MAX]]
        more = scan.invalid - len(lines)
        top = tag("summary", tag("b", formats.plural(scan.invalid, "row")), " cannot be used: they get nothing")
        rest = tag("p", f"and {formats.count(more)} more", class_="soft small") if more > 0 else None
        table = components.table(("Line", "Cell", "What is wrong"), lines, testid="import-errors")
        return tag("details", top, table, rest, open=scan.done, class_="fold")

    def _discard_file(self) -> None:
        self._stop_reading()
        if self._file is not None:
            self._file.delete()
        self._file = None
        self._error = ""
