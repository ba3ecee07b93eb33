"""Phone list: a CSV file with a phone number in each row, read row by row."""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from spreader.contract.ids import RECIPIENT_PATTERN

HEADERS = frozenset({"recipient", "phone", "phone_number", "number", "msisdn", "mobile", "whatsapp"})
_PHONE = re.compile(RECIPIENT_PATTERN)
_DECORATION = re.compile(r"^\s*(?:\+|00)|[\s().\-\u00a0\u200e\u202a\u202c]")
"""Characters around the digits: a leading + or 00, spaces, brackets, dots, dashes, direction marks."""
_SEPARATORS = ",;\t"


@dataclass(frozen=True, slots=True)
class PhoneRow:
    line: int
    recipient: str


@dataclass(frozen=True, slots=True)
class InvalidRow:
    line: int
    code: str
    detail: str


def read_rows(lines: Iterable[str], first_line: int = 1, column: int | None = None) -> Iterator[PhoneRow | InvalidRow]:
    """Yields one row for each line that is not blank. `column` is the index of the column with the phone numbers. None
    means the first column."""
    for line, text in enumerate(lines, first_line):
        if text.strip():
            cells = _cells(text)
            cell = cells[column or 0] if len(cells) > (column or 0) else ""
            recipient = _DECORATION.sub("", cell)
            if _PHONE.match(recipient) and recipient.isascii():
                yield PhoneRow(line, recipient)
            else:
                yield InvalidRow(line, "phone_number", "a phone number is 7 to 15 digits in international form")


def header_column(text: str) -> int | None:
    """The index of the column with the phone numbers if this first line is a header. None if the line is a row.

    A line is a header if `HEADERS` lists one of its cells. A line without any digit is a header too. In that case the
    first column has the numbers.
    """
    cells = [cell.strip().casefold().replace(" ", "_") for cell in _cells(text)]
    known = next((index for index, cell in enumerate(cells) if cell in HEADERS), None)
    if known is None and any(cells) and not any(character.isdigit() for cell in cells for character in cell):
        return 0
    return known


def _cells(text: str) -> list[str]:
    """The cells of a row. They are separated by the character of `_SEPARATORS` that occurs most often in the row."""
    separator = max(_SEPARATORS, key=text.count)
    return next(csv.reader([text], delimiter=separator), [""])
