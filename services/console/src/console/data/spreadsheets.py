"""Spreadsheets: uploaded CSV and XLSX files with recipients, and the reading of their numbers."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from console.core.recipients.recipient_list import RecipientScan
from spreader.phone.canonical import person_key
from spreader.phone.list_file import ZIP, ListFile, UnreadableFile
from spreader.phone.text_rows import FileRow

__all__ = ["ColumnReading", "Spreadsheet", "UnreadableFile", "open_spreadsheet"]

SUFFIXES = (".csv", ".txt", ".xlsx")
ROWS_MAX = 2_000_000
PROGRESS_EVERY_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class Spreadsheet:
    """An uploaded file. It stays on disk until `delete` is called."""

    name: str
    path: Path

    def rows(self) -> Iterator[FileRow]:
        """Raises `UnreadableFile`."""
        return ListFile(self.path).rows()

    def first_rows(self) -> list[list[str]]:
        """The first rows. They show which column has the phone numbers. Raises `UnreadableFile`."""
        return ListFile(self.path).first_rows()

    def delete(self) -> None:
        self.path.unlink(missing_ok=True)


@dataclass
class ColumnReading:
    """One reading of a column of phone numbers. It writes the numbers to a file of its own, so two readings never mix
    their numbers.

    The file gets its final name only when the reading is done. So `batches` never returns an incomplete list.
    """

    sheet: Spreadsheet
    column: int
    first_row: int = 0
    """The index of the first row after title and header."""
    scan: RecipientScan = field(default_factory=RecipientScan)
    _name: str = field(default_factory=lambda: os.urandom(8).hex(), init=False)
    _stopped: bool = field(default=False, init=False)

    @property
    def _numbers(self) -> Path:
        """The path of the file with the numbers. Each line has one phone number, and no number is repeated."""
        return self.sheet.path.with_suffix(f".{self._name}.numbers")

    @property
    def is_complete(self) -> bool:
        return self.scan.done and not self._stopped

    def run(self) -> None:
        """Read the column, and keep the counts in `scan` up to date. Ends early when the reading is stopped.

        Run this in a thread, because it is slow. Raises `UnreadableFile`.
        """
        part = self._numbers.with_suffix(".part")
        try:
            self._write(part)
            part.rename(self._numbers)
            self.scan.read_share, self.scan.done = 1.0, True
            if self._stopped:  # `stop` may have been called just before the file got its name
                self._numbers.unlink(missing_ok=True)
        finally:
            part.unlink(missing_ok=True)

    def stop(self) -> None:
        """End the reading and delete its file."""
        self._stopped = True
        self._numbers.unlink(missing_ok=True)

    def batches(self, size: int, skip: int = 0) -> Iterator[list[str]]:
        """The phone numbers in batches of `size`, without the first `skip` batches. The reading must be done."""
        assert self.is_complete
        with self._numbers.open() as numbers:
            batch: list[str] = []
            for index, number in enumerate(numbers):
                if index >= skip * size:
                    batch.append(number.strip())
                if len(batch) == size:
                    yield batch
                    batch = []
            if batch:
                yield batch

    def _write(self, part: Path) -> None:
        scan, seen = self.scan, set[int]()
        with part.open("w") as out:
            for number, row in enumerate(self.sheet.rows(), 1):
                if self._stopped:
                    return
                if number <= self.first_row:
                    continue
                if scan.rows >= ROWS_MAX:
                    raise UnreadableFile(f"The file has over {ROWS_MAX:,} rows: cut it into several.")
                recipient = scan.add(row.line, row.cells, self.column)
                person = None if recipient is None else int(person_key(recipient))
                if person in seen:
                    scan.repeated += 1
                elif recipient is not None and person is not None:
                    seen.add(person)
                    scan.valid += 1
                    out.write(recipient + "\n")
                if number % PROGRESS_EVERY_ROWS == 0:
                    scan.read_share = row.share


def open_spreadsheet(name: str, path: Path) -> Spreadsheet:
    """Rename an uploaded file, so that it is kept after the upload. Raises `UnreadableFile` if its suffix is not
    supported."""
    suffix = Path(name).suffix.lower()
    if suffix not in SUFFIXES:
        raise UnreadableFile(f"{name[:80]} is neither .csv nor .xlsx: export the list as one of them.")
    with path.open("rb") as file:
        is_workbook = file.read(len(ZIP)) == ZIP
    if suffix == ".xlsx" and not is_workbook:
        raise UnreadableFile("This is no spreadsheet that can be read: save it as .xlsx or .csv and try again.")
    return Spreadsheet(name, path.rename(path.with_name(path.name + ".list")))
