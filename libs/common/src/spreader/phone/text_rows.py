"""Text rows: the rows of a text file with separated columns, such as a CSV file."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from spreader.phone.dressed_number import NoNumber, read_number

LINE_CHARACTERS_MAX = 10_000
LINES_OF_ROW_MAX = 20
"""The most lines of one row. A cell in quotation marks may contain line breaks."""

csv.field_size_limit(LINE_CHARACTERS_MAX * LINES_OF_ROW_MAX)


@dataclass(frozen=True, slots=True)
class FileRow:
    """`line`: the number of the row's first line, from 1. `share`: how much of the file was read up to this row."""

    line: int
    cells: Sequence[str]
    share: float = 0.0


class LineTooLong(Exception):
    """A line has more than `LINE_CHARACTERS_MAX` characters. `line`: the number of the line, from 1."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


def text_rows(lines: Iterable[str], separator: str, first_line: int = 1) -> Iterator[FileRow]:
    """Yields each row, even an empty one. Raises `LineTooLong`.

    Several lines are one row only if a quotation mark opens in the first line and closes in one of the next lines. If
    there is a phone number in between, these lines are separate rows. So a stray quotation mark hides no people.
    """
    number, rest = first_line, iter(lines)
    waiting = list[str]()
    while True:
        waiting += islice(rest, max(0, 1 - len(waiting)))
        if not waiting:
            return
        if len(waiting[0]) > LINE_CHARACTERS_MAX:
            raise LineTooLong(number)
        taken = 1
        if waiting[0].count('"') % 2:
            waiting += islice(rest, LINES_OF_ROW_MAX - len(waiting))
            taken = _lines_of_row(waiting, separator)
        yield FileRow(number, _cells(waiting[:taken], separator))
        number += taken
        waiting = waiting[taken:]


def _lines_of_row(lines: Sequence[str], separator: str) -> int:
    """How many of these lines are one row."""
    if not any(cell.lstrip().startswith('"') for cell in lines[0].split(separator)):
        return 1
    is_open = False
    for place, line in enumerate(lines[:LINES_OF_ROW_MAX]):
        is_open ^= line.count('"') % 2 == 1
        if not is_open:
            broken = (cell for cell in _cells(lines[: place + 1], separator) if "\n" in cell)
            return 1 if any(_has_number(cell, separator) for cell in broken) else place + 1
    return 1


def _has_number(cell: str, separator: str) -> bool:
    """Whether a cell with line breaks contains columns with a phone number. Such a cell is several rows."""
    lines = cell.split("\n")
    if not any(separator in line for line in lines):
        return False
    pieces = chain.from_iterable(line.split(separator) for line in lines)
    return any(not isinstance(read_number(piece), NoNumber) for piece in pieces)


def _cells(lines: Sequence[str], separator: str) -> list[str]:
    try:
        return next(csv.reader(["\n".join(lines)], delimiter=separator), [])
    except csv.Error:
        return ["\n".join(lines)]
