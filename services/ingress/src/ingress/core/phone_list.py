"""Phone list: a CSV or XLSX file with a phone number in each row, read row by row."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from spreader.phone.dressed_number import SEVERAL, NoNumber, read_number
from spreader.phone.number_column import ListLayout, find_layout, sample_numbers
from spreader.phone.text_rows import FileRow

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
    of the first row after title and header. `width`: how many columns the rows usually have."""

    column: int
    first_row: int
    width: int


@dataclass(frozen=True, slots=True)
class SampleColumn:
    """A column of a file, with its first phone numbers in international form. `column` counts from 1."""

    column: int
    name: str | None
    numbers: Sequence[str]


@dataclass(frozen=True, slots=True)
class UnclearColumn:
    """The phone numbers may be in one of several columns."""

    columns: Sequence[SampleColumn]


def find_format(
    rows: Sequence[Sequence[str]], chosen: str | None = None, country: str | None = None
) -> ListFormat | UnclearColumn:
    """Finds the format of a file in its first rows.

    `chosen`: the name of the column with the phone numbers, or its number, counted from 1. None if this function has to
    find the column. Raises `LookupError` if the file has no column `chosen`. `country`: the country whose national
    numbers are completed.
    """
    layout = find_layout(rows, country)
    if chosen is None and not layout.is_sure:
        return UnclearColumn(_samples(rows, layout, country))
    column = layout.column if chosen is None else _chosen_column(chosen, rows, layout)
    return ListFormat(column, layout.first_row, layout.width)


def read_rows(
    rows: Iterable[FileRow], list_format: ListFormat, country: str | None = None
) -> Iterator[PhoneRow | InvalidRow]:
    """Yields the result of each row that is not empty. `rows`: the rows after title and header."""
    for row in rows:
        if len(row.cells) <= 1 and not any(cell.strip() for cell in row.cells):
            continue
        column = list_format.column
        found = read_number(row.cells[column] if column < len(row.cells) else "", country)
        if isinstance(found, str) and _has_more_numbers(row.cells[list_format.width :], country):
            found = NoNumber(SEVERAL)
        if isinstance(found, NoNumber):
            yield InvalidRow(row.line, "phone_number", found.reason)
        else:
            yield PhoneRow(row.line, found)


def _has_more_numbers(cells: Iterable[str], country: str | None) -> bool:
    """Whether any of these cells has a phone number. They are the cells of a row beyond the usual columns."""
    return any(isinstance(read_number(cell, country), str) for cell in cells)


def _chosen_column(chosen: str, rows: Sequence[Sequence[str]], layout: ListLayout) -> int:
    names = [name.strip().casefold() for name in layout.header or ()]
    if chosen.strip().casefold() in names:
        return names.index(chosen.strip().casefold())
    if chosen.isascii() and chosen.isdecimal() and 1 <= int(chosen) <= max(map(len, rows), default=0):
        return int(chosen) - 1
    raise LookupError(chosen)


def _samples(rows: Sequence[Sequence[str]], layout: ListLayout, country: str | None) -> list[SampleColumn]:
    return [
        SampleColumn(column + 1, layout.name_of(column) or None, numbers)
        for column, numbers in enumerate(sample_numbers(rows, layout, SAMPLES_MAX, country))
    ]
