"""Spreadsheets: CSV and XLSX files with recipients. They are read row by row, because a file may be large."""

import codecs
import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import BoundedSemaphore
from zipfile import BadZipFile, ZipFile

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from console.core.recipient_list import RecipientScan
from spreader.phone.number_column import SAMPLE_ROWS, text_format

ROWS_MAX = 2_000_000
CELL_CHARACTERS_MAX = 10_000
SHEET_BYTES_MAX = 512 * 2**20
"""The most that a sheet of an XLSX file may unpack to. A sheet is read row by row."""
PART_BYTES_MAX = 64 * 2**20
"""The most that any other part of an XLSX file may unpack to. These parts are in memory as a whole."""
WORKBOOKS_MAX = 2
"""How many XLSX files are read at the same time."""
PROGRESS_EVERY_ROWS = 2_000

csv.field_size_limit(CELL_CHARACTERS_MAX)
_workbooks = BoundedSemaphore(WORKBOOKS_MAX)


class UnreadableFile(Exception):
    """The file cannot be read. The message explains why, and what the operator can do."""


@dataclass(frozen=True, slots=True)
class Spreadsheet:
    """An uploaded file. It stays on disk until `delete` is called."""

    name: str
    path: Path

    def rows(self) -> Iterator[tuple[float, list[str]]]:
        """Yields the cells of each row as texts, with the share of the file that has been read so far.

        The share is 0 if it is unknown. Raises `UnreadableFile`.
        """
        try:
            yield from self._csv() if self.path.suffix == ".csv" else self._xlsx()
        except UnicodeDecodeError:
            raise UnreadableFile("The text is not UTF-8: save it as “CSV UTF-8” and try again.") from None
        except (InvalidFileException, BadZipFile, KeyError, ValueError, OSError):
            raise UnreadableFile(
                "This is no spreadsheet that can be read: save it as .xlsx or .csv and try again."
            ) from None
        except csv.Error as error:
            raise UnreadableFile(f"A row cannot be read ({error}): is a quotation mark left open?") from None

    def first_rows(self) -> list[list[str]]:
        """The first rows, from which the column with the phone numbers is chosen."""
        return [row for _, (_, row) in zip(range(SAMPLE_ROWS), self.rows(), strict=False)]

    def delete(self) -> None:
        self.path.unlink(missing_ok=True)

    def _csv(self) -> Iterator[tuple[float, list[str]]]:
        size = self.path.stat().st_size or 1
        with self.path.open("rb") as raw:
            head = raw.read(8_192)
        encoding = _encoding(head)
        form = text_format(head.decode(encoding, "replace").splitlines()[:SAMPLE_ROWS])
        with self.path.open(encoding=encoding, newline="") as text:
            read = 0
            for _ in range(form.skipped):
                text.readline()
            for row in csv.reader(text, delimiter=form.separator):
                read += sum(map(len, row)) + len(row)
                yield min(read / size, 0.99), row

    def _xlsx(self) -> Iterator[tuple[float, list[str]]]:
        _check_unpacked_size(self.path)
        with _workbooks:
            book = load_workbook(self.path, read_only=True, data_only=True)
            try:
                sheet = book.worksheets[0]
                rows = sheet.max_row or 0
                for line, row in enumerate(sheet.iter_rows(values_only=True), 1):
                    yield (min(line / rows, 0.99) if rows else 0.0), ["" if cell is None else str(cell) for cell in row]
            finally:
                book.close()


@dataclass
class ColumnReading:
    """One reading of a column of phone numbers. It has a file of its own, which is complete only when it is done.

    So a reading never gets numbers of another one, and `batches` never returns a part of the list.
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
        """Each line has one phone number, and no number is repeated."""
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
            if self._stopped:  # perhaps only while the file got its name
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
            for line, (share, row) in enumerate(self.sheet.rows(), 1):
                if self._stopped:
                    return
                if line <= self.first_row:
                    continue
                if scan.rows >= ROWS_MAX:
                    raise UnreadableFile(f"The file has over {ROWS_MAX:,} rows: cut it into several.")
                number = scan.add(line, row[self.column] if self.column < len(row) else "")
                if number is not None and int(number) in seen:
                    scan.repeated += 1
                elif number is not None:
                    seen.add(int(number))
                    scan.valid += 1
                    out.write(number + "\n")
                if line % PROGRESS_EVERY_ROWS == 0:
                    scan.read_share = share


def _check_unpacked_size(path: Path) -> None:
    """Raise `UnreadableFile` if the file would unpack to too much. Only the list of its parts is read for this."""
    with ZipFile(path) as book:
        for part in book.infolist():
            largest = SHEET_BYTES_MAX if part.filename.startswith("xl/worksheets/") else PART_BYTES_MAX
            if part.file_size > largest:
                size = part.file_size // 2**20
                raise UnreadableFile(f"The file unpacks to {size} MB: save the list as CSV, or cut it into several.")


def open_spreadsheet(name: str, path: Path) -> Spreadsheet:
    """Rename an uploaded file, so that it is kept after the upload. Raises `UnreadableFile` if its suffix is not
    supported."""
    suffix = Path(name).suffix.lower()
    if suffix not in (".csv", ".txt", ".xlsx"):
        raise UnreadableFile(f"{name[:80]} is neither .csv nor .xlsx: export the list as one of them.")
    owned = path.with_name(path.name + (".xlsx" if suffix == ".xlsx" else ".csv"))
    return Spreadsheet(name, path.rename(owned))


def _encoding(head: bytes) -> str:
    """The encoding of a text file, by its first bytes. Excel writes UTF-16, and Windows-1256 in Arabic offices."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        codecs.getincrementaldecoder("utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        return "cp1256"
    return "utf-8-sig"
