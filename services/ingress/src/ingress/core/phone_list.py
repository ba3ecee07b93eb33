"""Phone list: a CSV file with a phone number in each row, read row by row."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from spreader.phone.dressed_number import NoNumber, read_number
from spreader.phone.number_column import ListLayout, find_layout

SEPARATORS = ",;\t|"
SEPARATOR_LINE = "sep="
"""A first line such as `sep=;` is for Excel: it contains the separator of the file."""
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
    separator, skipped = _separator(lines)
    rows = [_cells(line, separator) for line in lines[skipped:]]
    layout = find_layout(rows)
    if chosen is not None:
        return ListFormat(separator, _chosen_column(chosen, rows, layout), skipped + layout.first_row)
    if layout.is_sure:
        return ListFormat(separator, layout.column, skipped + layout.first_row)
    return UnclearColumn(_samples(rows, layout))


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


def _separator(lines: Sequence[str]) -> tuple[str, int]:
    """The separator of the whole file, and how many lines only name it."""
    first = lines[0].strip().casefold() if lines else ""
    if first.startswith(SEPARATOR_LINE) and len(first) == len(SEPARATOR_LINE) + 1:
        return first[-1], 1
    text = "\n".join(lines)
    return max(SEPARATORS, key=lambda separator: (sum(separator in line for line in lines), text.count(separator))), 0


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
    header = list(layout.header or ())
    samples = list[SampleColumn]()
    for column in range(max(map(len, rows), default=0)):
        found = [read_number(row[column]) for row in rows[layout.first_row :] if column < len(row)]
        numbers = [number for number in found if isinstance(number, str)][:SAMPLES_MAX]
        name = header[column].strip() if column < len(header) else ""
        samples.append(SampleColumn(column + 1, name or None, numbers))
    return samples
