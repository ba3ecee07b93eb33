"""Sheets: files with recipients, CSV or XLSX, read row by row: never is a whole one in memory."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from console.core.recipient_list import Scan, has_header

ROWS_MAX = 2_000_000
CELL_CHARACTERS_MAX = 10_000
LOOK_EVERY_ROWS = 2_000

csv.field_size_limit(CELL_CHARACTERS_MAX)


class Unreadable(Exception):
    """The file cannot be read; says why and what to do."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file that lies in a folder of ours until `forget`."""

    name: str
    path: Path

    @property
    def numbers(self) -> Path:
        """Where `scan` puts what it found: one number a line, each once."""
        return self.path.with_suffix(".numbers")

    def rows(self) -> Iterator[tuple[float, list[str]]]:
        """Each row as texts, with the share of the file that is read by then (0 where it cannot be told)."""
        try:
            yield from self._csv() if self.path.suffix == ".csv" else self._xlsx()
        except UnicodeDecodeError:
            raise Unreadable("The text is not UTF-8: save it as “CSV UTF-8” and try again.") from None
        except (InvalidFileException, BadZipFile, KeyError, ValueError, OSError):
            raise Unreadable(
                "This is no spreadsheet that can be read: save it as .xlsx or .csv and try again."
            ) from None
        except csv.Error as error:
            raise Unreadable(f"A row cannot be read ({error}): is a quotation mark left open?") from None

    def first(self) -> list[list[str]]:
        """A few rows, to choose the column by."""
        return [row for _, (_, row) in zip(range(5), self.rows(), strict=False)]

    def scan(self, column: int, found: Scan) -> None:
        """Find the numbers of a column; a thread's work. `found` tells meanwhile how far it is."""
        known: set[int] = set()
        with self.numbers.open("w") as out:
            for line, (share, row) in enumerate(self.rows(), 1):
                if line == 1 and has_header(row):
                    continue
                if found.rows >= ROWS_MAX:
                    raise Unreadable(f"The file has over {ROWS_MAX:,} rows: cut it into several.")
                number = found.take(line, row[column] if column < len(row) else "")
                if number is not None and int(number) in known:
                    found.repeated += 1
                elif number is not None:
                    known.add(int(number))
                    found.good += 1
                    out.write(number + "\n")
                if line % LOOK_EVERY_ROWS == 0:
                    found.read_share = share
        found.read_share, found.done = 1.0, True

    def pieces(self, size: int, skip: int = 0) -> Iterator[list[str]]:
        """The numbers that were found, in pieces; `skip` of them are passed over."""
        with self.numbers.open() as numbers:
            piece: list[str] = []
            for place, number in enumerate(numbers):
                if place >= skip * size:
                    piece.append(number.strip())
                if len(piece) == size:
                    yield piece
                    piece = []
            if piece:
                yield piece

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)
        self.numbers.unlink(missing_ok=True)

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


def new_sheet(name: str, path: Path) -> Sheet:
    """Takes the file over; raises `Unreadable` for a kind that we do not read."""
    suffix = Path(name).suffix.lower()
    if suffix not in (".csv", ".txt", ".xlsx"):
        raise Unreadable(f"{name[:80]} is neither .csv nor .xlsx: export the list as one of them.")
    taken = path.with_name(path.name + (".xlsx" if suffix == ".xlsx" else ".csv"))
    return Sheet(name, path.rename(taken))


def _delimiter(sample: str) -> str:
    line = sample.split("\n", 1)[0]
    return max(",;\t|", key=line.count)
