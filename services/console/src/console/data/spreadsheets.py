"""Spreadsheets: CSV and XLSX files with recipients. They are read row by row, because a file may be large."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from console.core.recipient_list import RecipientScan, has_header

ROWS_MAX = 2_000_000
CELL_CHARACTERS_MAX = 10_000
PROGRESS_EVERY_ROWS = 2_000

csv.field_size_limit(CELL_CHARACTERS_MAX)


class UnreadableFile(Exception):
    """The file cannot be read. The message explains why, and what the operator can do."""


@dataclass(frozen=True, slots=True)
class Spreadsheet:
    """An uploaded file. It stays on disk until `delete` is called."""

    name: str
    path: Path

    @property
    def numbers_path(self) -> Path:
        """The file that `scan` writes. Each line has one phone number, and no number is repeated."""
        return self.path.with_suffix(".numbers")

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
        """The first five rows, from which the column with the phone numbers is chosen."""
        return [row for _, (_, row) in zip(range(5), self.rows(), strict=False)]

    def scan(self, column: int, scan: RecipientScan) -> None:
        """Write the phone numbers of a column to `numbers_path`, and keep the counts in `scan` up to date.

        Run this in a thread, because it is slow.
        """
        seen: set[int] = set()
        with self.numbers_path.open("w") as out:
            for line, (share, row) in enumerate(self.rows(), 1):
                if line == 1 and has_header(row):
                    continue
                if scan.rows >= ROWS_MAX:
                    raise UnreadableFile(f"The file has over {ROWS_MAX:,} rows: cut it into several.")
                number = scan.add(line, row[column] if column < len(row) else "")
                if number is not None and int(number) in seen:
                    scan.repeated += 1
                elif number is not None:
                    seen.add(int(number))
                    scan.valid += 1
                    out.write(number + "\n")
                if line % PROGRESS_EVERY_ROWS == 0:
                    scan.read_share = share
        scan.read_share, scan.done = 1.0, True

    def batches(self, size: int, skip: int = 0) -> Iterator[list[str]]:
        """The phone numbers that `scan` wrote, in batches of `size`. The first `skip` batches are left out."""
        with self.numbers_path.open() as numbers:
            batch: list[str] = []
            for index, number in enumerate(numbers):
                if index >= skip * size:
                    batch.append(number.strip())
                if len(batch) == size:
                    yield batch
                    batch = []
            if batch:
                yield batch

    def delete(self) -> None:
        self.path.unlink(missing_ok=True)
        self.numbers_path.unlink(missing_ok=True)

    def _csv(self) -> Iterator[tuple[float, list[str]]]:
        size = self.path.stat().st_size or 1
        with self.path.open("rb") as raw:
            sample = raw.read(8_192).decode("utf-8-sig", "replace")
        with self.path.open(encoding="utf-8-sig", newline="") as text:
            read = 0
            for row in csv.reader(text, delimiter=_delimiter(sample)):
                read += sum(map(len, row)) + len(row)
                yield min(read / size, 0.99), row

    def _xlsx(self) -> Iterator[tuple[float, list[str]]]:
        book = load_workbook(self.path, read_only=True, data_only=True)
        try:
            sheet = book.worksheets[0]
            rows = sheet.max_row or 0
            for line, row in enumerate(sheet.iter_rows(values_only=True), 1):
                yield (min(line / rows, 0.99) if rows else 0.0), ["" if cell is None else str(cell) for cell in row]
        finally:
            book.close()


def open_spreadsheet(name: str, path: Path) -> Spreadsheet:
    """Rename an uploaded file, so that it is kept after the upload. Raises `UnreadableFile` if its suffix is not
    supported."""
    suffix = Path(name).suffix.lower()
    if suffix not in (".csv", ".txt", ".xlsx"):
        raise UnreadableFile(f"{name[:80]} is neither .csv nor .xlsx: export the list as one of them.")
    owned = path.with_name(path.name + (".xlsx" if suffix == ".xlsx" else ".csv"))
    return Spreadsheet(name, path.rename(owned))


def _delimiter(sample: str) -> str:
    line = sample.split("\n", 1)[0]
    return max(",;\t|", key=line.count)
