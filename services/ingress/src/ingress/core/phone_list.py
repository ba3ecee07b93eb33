"""Phone list: a CSV file with a phone number in each row, read row by row."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from spreader.phone.dressed_number import NoNumber, read_number
from spreader.phone.number_column import ListLayout, find_layout, sample_numbers, text_format

SAMPLES_MAX = 3


@dataclass(frozen=True, slots=True)
class PhoneRow:
    line: int
    recipient: str


@dataclass(frozen=True, slots=True)
class InvalidRow:
    line: int
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class ListFormat:
    """How to read the rows of a file. `column`: the index of the column with the phone numbers. `first_row`: the index
    of the first line after title and header."""

    separator: str
    column: int
    first_row: int


@dataclass(frozen=True, slots=True)
class SampleColumn:
    """A column of a file, and the first numbers in it as they would be dialled. `column` counts from 1."""

    column: int
    name: str | None
    numbers: Sequence[str]


@dataclass(frozen=True, slots=True)
class UnclearColumn:
    """The phone numbers may be in one of several columns."""

    columns: Sequence[SampleColumn]


def find_format(lines: Sequence[str], chosen: str | None = None) -> ListFormat | UnclearColumn:
    """The format of a file, by its first lines. `chosen`: the name of the column, or its number from 1.

    Raises `LookupError` if the file has no such column.
    """
    text = text_format(lines)
    rows = [_cells(line, text.separator) for line in lines[text.skipped :]]
    layout = find_layout(rows)
    if chosen is None and not layout.is_sure:
        return UnclearColumn(_samples(rows, layout))
    column = layout.column if chosen is None else _chosen_column(chosen, rows, layout)
    return ListFormat(text.separator, column, text.skipped + layout.first_row)


def read_rows(lines: Iterable[str], first_line: int, list_format: ListFormat) -> Iterator[PhoneRow | InvalidRow]:
    """Yields one row for each line that is not blank. `first_line`: the number of the first of these lines."""
    for line, text in enumerate(lines, first_line):
        if text.strip():
            cells = _cells(text, list_format.separator)
            found = read_number(cells[list_format.column] if len(cells) > list_format.column else "")
            if isinstance(found, NoNumber):
                yield InvalidRow(line, "phone_number", found.reason)
            else:
                yield PhoneRow(line, found)


def _cells(text: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([text], delimiter=separator), [""])
    except csv.Error:  # a line break within the line
        return [""]


def _chosen_column(chosen: str, rows: Sequence[Sequence[str]], layout: ListLayout) -> int:
    names = [name.strip().casefold() for name in layout.header or ()]
    if chosen.strip().casefold() in names:
        return names.index(chosen.strip().casefold())
    if chosen.isascii() and chosen.isdecimal() and 1 <= int(chosen) <= max(map(len, rows), default=0):
        return int(chosen) - 1
    raise LookupError(chosen)


def _samples(rows: Sequence[Sequence[str]], layout: ListLayout) -> list[SampleColumn]:
    return [
        SampleColumn(column + 1, layout.name_of(column) or None, numbers)
        for column, numbers in enumerate(sample_numbers(rows, layout, SAMPLES_MAX))
    ]
