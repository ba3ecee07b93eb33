"""List import: the part of the consent page that adds the phone numbers in a file to a list."""

import asyncio
from pathlib import Path

from markupsafe import Markup
from nicegui import ui

from console.core import formats
from console.core.markup import join
from console.core.recipients.number_warnings import ApiNumberWarning
from console.core.recipients.recipient_list import column_labels
from console.data.api import CallSucceeded
from console.data.spreadsheets import Spreadsheet, UnreadableFile, open_spreadsheet
from console.ui import components
from console.ui.actions import error_text
from console.ui.column_choice import show_columns
from console.ui.elements import button, html, stack
from console.ui.live_page import LivePage
from spreader.phone.number_column import find_layout

IMPORT_SECONDS = 300.0


class ListImport:
    """`address`: the path of the list in the API of the ingress. The ingress gets nothing before the operator presses
    Import."""

    def __init__(self, page: LivePage, package_id: str, address: str, testid: str) -> None:
        self._page = page
        self._package_id = package_id
        self._address = address
        self._testid = testid
        self._file: Spreadsheet | None = None
        self._column = 0
        ui.context.client.on_delete(self._discard)

    def build(self) -> None:
        label = "Or choose a file with a column of numbers (CSV or XLSX)"
        self._page.context.uploads.field(label, ".csv,.txt,.xlsx", self.load, self._testid)
        self._columns = stack("stack tight")
        self._result = html(join()).props('aria-live="polite"')

    async def load(self, name: str, path: Path) -> None:
        self._discard()
        self._columns.clear()
        self._result.set_content(join())
        country = self._page.context.country(self._package_id)
        try:
            file = self._file = open_spreadsheet(name, path)
            rows = await asyncio.to_thread(file.first_rows)
        except UnreadableFile as reason:
            self._end(components.notice(str(reason), "bad"))
            return
        if self._file is not file:  # another file was chosen meanwhile
            return
        if not rows:
            self._end(components.notice("The file is empty.", "bad"))
            return
        layout = find_layout(rows, country)
        self._column = layout.column
        show_columns(self._columns, column_labels(layout, rows, country), layout, self._choose)
        with self._columns, stack("line"):
            button("Import", self.send, "button-main").props(f'data-testid="{self._testid}-import"')
            button("Cancel", self._cancel, "button-bare")

    def _choose(self, column: int) -> None:
        self._column = column

    def _cancel(self) -> None:
        self._end(None)

    async def send(self) -> None:
        """Send the file to the ingress. The ingress finds the numbers in the same way as the console does, and returns
        the invalid rows."""
        file = self._file
        if file is None:
            return
        self._columns.clear()
        self._result.set_content(components.notice("The numbers are being added …", "warn"))
        result = await self._page.context.api.call(
            "POST",
            "ingress",
            f"{self._address}/import?column={self._column + 1}",
            data=file.path,
            headers={"Content-Type": "application/octet-stream"},
            seconds=IMPORT_SECONDS,
        )
        if not isinstance(result, CallSucceeded):
            self._end(components.notice(error_text(result, "ingress"), "bad"))
            return
        report = result.body
        counted = f"{report['added']} added, {report['already']} already there, {report['wrong']} wrong"
        words = f"{formats.plural(report['rows'], 'row')}: {counted}."
        lines = [(str(error["line"]), error["detail"]) for error in report["errors"]]
        table = components.table(("Line", "What is wrong"), lines) if lines else None
        warnings = [ApiNumberWarning.model_validate(warning).words for warning in report.get("warnings", ())]
        notices = [components.notice(warning, "warn", "number-warning") for warning in warnings]
        self._end(join(components.notice(words, "warn" if lines else "good"), *notices, table))

    def _end(self, shown: Markup | None) -> None:
        self._discard()
        self._columns.clear()
        self._result.set_content(join(shown))

    def _discard(self) -> None:
        if self._file is not None:
            self._file.delete()
        self._file = None
