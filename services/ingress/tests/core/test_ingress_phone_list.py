"""Phone lists are read in every way that people write them."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingress.core.phone_list import InvalidRow, ListFormat, PhoneRow, UnclearColumn, find_format, read_rows
from spreader.phone.text_rows import FileRow, text_rows


def rows_of(*texts: str) -> list[list[str]]:
    return [text.split(",") for text in texts]


def test_each_row_is_a_number_or_has_its_reason() -> None:
    cells = [
        ["201001234567"],
        ["+20 100 123-4568"],
        [],
        ["00201001234569", "Mona"],
        ["2010 01234570", "x"],
        ["Omar"],
        ["201001234571.0"],
        ["٢٠١٠٠١٢٣٤٥٧٢"],
        ["201001234573 / 201001234574"],
        ["2.01E+11"],
        ["201001234575", "Ali", "201001234576"],
        ["", "Ali"],
    ]
    rows = [FileRow(line, each) for line, each in enumerate(cells, 2)]
    found = list(read_rows(rows, ListFormat(0, 0, 2)))
    assert [row.recipient[-2:] for row in found if isinstance(row, PhoneRow)] == ["67", "68", "69", "70", "71", "72"]
    assert [(row.line, row.detail[:18]) for row in found if isinstance(row, InvalidRow)] == [
        (7, "it has letters or "),
        (10, "it has several num"),
        (11, "the spreadsheet ha"),
        (12, "it has several num"),
        (13, "it is empty"),
    ]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (rows_of("201001234567"), (0, 0, 1)),
        (rows_of("phone", "201001234567"), (0, 1, 1)),
        (rows_of("name,Phone Number,city", "Mona,201001234567,Cairo"), (1, 1, 3)),
        (rows_of("Record ID,Mobile Phone Number", "20100555,201001234567"), (1, 1, 2)),
        (rows_of("+20 100 1234567,Mona"), (0, 0, 2)),
    ],
)
def test_the_format_of_a_file_is_found(rows: list[list[str]], expected: tuple[int, int, int]) -> None:
    assert find_format(rows) == ListFormat(*expected)


def test_an_unclear_column_has_samples_and_can_be_chosen() -> None:
    rows = rows_of("201001234567,01001234568", "201001234569,01001234570")
    unclear = find_format(rows, country="EG")
    assert isinstance(unclear, UnclearColumn)
    assert [(each.column, each.name, list(each.numbers)) for each in unclear.columns] == [
        (1, None, ["201001234567", "201001234569"]),
        (2, None, ["201001234568", "201001234570"]),
    ]
    assert find_format(rows, "2") == ListFormat(1, 0, 2)
    assert find_format([["Home", "Office"], *rows], "office") == ListFormat(1, 1, 2)
    for missing in ("3", "0", "Mobile"):
        with pytest.raises(LookupError):
            find_format(rows, missing)


@given(st.text())
@example("a\rb")
@example("\r201000000011")
@example("x" * 10_000)
def test_any_text_is_a_row_or_an_invalid_row(text: str) -> None:
    """Red before: the module `csv` refused a carriage return, and a cell of more than 131,072 characters."""
    rows = list(text_rows([text], ","))
    found = find_format([row.cells for row in rows])
    results = list(read_rows(rows, found if isinstance(found, ListFormat) else ListFormat(0, 0, 1)))
    assert len(results) == (1 if any(cell.strip() for row in rows for cell in row.cells) or "," in text else 0)
