"""Phone list: a CSV file with a phone number in each row, read row by row."""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from spreader.contract.ids import RECIPIENT_PATTERN

HEADERS = frozenset({"recipient", "phone", "phone_number", "number", "msisdn", "mobile", "whatsapp"})
_PHONE = re.compile(RECIPIENT_PATTERN)
_DRESS = re.compile(r"^\s*(?:\+|00)|[\s().\-\u00a0\u200e\u202a\u202c]")
"""What people write around the digits: a leading + or 00, spaces, brackets, dots, dashes, direction marks."""
_SEPARATORS = ",;\t"


@dataclass(frozen=True, slots=True)
class Number:
    line: int
    recipient: str


@dataclass(frozen=True, slots=True)
class WrongRow:
    line: int
    code: str
    detail: str


def numbers(lines: Iterable[str], first_line: int = 1, column: int | None = None) -> Iterator[Number | WrongRow]:
    """What each line holds; empty lines hold nothing. `column`: where the number stands, counted from 0."""
    for line, text in enumerate(lines, first_line):
        if text.strip():
            cells = _cells(text)
            cell = cells[column or 0] if len(cells) > (column or 0) else ""
            recipient = _DRESS.sub("", cell)
            if _PHONE.match(recipient) and recipient.isascii():
                yield Number(line, recipient)
            else:
                yield WrongRow(line, "phone_number", "a phone number is 7 to 15 digits in international form")


def header(text: str) -> int | None:
    """The column of the numbers, if the first line is a header: it has a name that we know, or no digit at all."""
    cells = [cell.strip().casefold().replace(" ", "_") for cell in _cells(text)]
    named = next((place for place, cell in enumerate(cells) if cell in HEADERS), None)
    if named is None and any(cells) and not any(character.isdigit() for cell in cells for character in cell):
        return 0
    return named


def _cells(text: str) -> list[str]:
    """A row's cells, by whichever separator it has; a row is a line."""
    separator = max(_SEPARATORS, key=text.count)
    return next(csv.reader([text], delimiter=separator), [""])
