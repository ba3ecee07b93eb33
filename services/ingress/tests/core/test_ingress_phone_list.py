"""Phone lists are read in every way that people write them."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingress.core.phone_list import InvalidRow, ListFormat, PhoneRow, UnclearColumn, find_format, read_rows


def test_each_row_is_a_number_or_has_its_reason() -> None:
    rows = [
        "201001234567",
        "+20 100 123-4568",
        "",
        "00201001234569,Mona",
        '"2010 01234570",x',
        "Omar",
        "201001234571.0",
        "٢٠١٠٠١٢٣٤٥٧٢",
        "201001234573 / 201001234574",
        "2.01E+11",
    ]
    found = list(read_rows(rows, 2, ListFormat(",", 0, 0)))
    assert [row.recipient[-2:] for row in found if isinstance(row, PhoneRow)] == ["67", "68", "69", "70", "71", "72"]
    assert [(row.line, row.detail[:18]) for row in found if isinstance(row, InvalidRow)] == [
        (7, "it has letters or "),
        (10, "it has several num"),
        (11, "the spreadsheet ha"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("201001234567", (",", 0, 0)),
        ("phone\n201001234567", (",", 0, 1)),
        ("name,Phone Number,city\nMona,201001234567,Cairo", (",", 1, 1)),
        ("Name;Telefon\nMona, Omar;201001234567", (";", 1, 1)),
        ("sep=;\nName;Mobile\nMona;201001234567", (";", 1, 2)),
        ("Record ID,Mobile Phone Number\n20100555,201001234567", (",", 1, 1)),
        ("Name\tWhatsApp\nMona\t201001234567", ("\t", 1, 1)),
        ("+20 100 1234567,Mona", (",", 0, 0)),
    ],
)
def test_the_format_of_a_file_is_found(text: str, expected: tuple[str, int, int]) -> None:
    assert find_format(text.split("\n")) == ListFormat(*expected)


def test_the_separator_is_that_of_the_whole_file() -> None:
    lines = ["Name;Mobile", "Mona, Omar, and Ali;201001234567", "Sara;201001234568"]
    found = find_format(lines)
    assert isinstance(found, ListFormat)
    rows = list(read_rows(lines[1:], 2, found))
    assert rows == [PhoneRow(2, "201001234567"), PhoneRow(3, "201001234568")]


def test_an_unclear_column_has_samples_and_can_be_chosen() -> None:
    lines = ["201001234567,201001234568", "201001234569,201001234570"]
    unclear = find_format(lines)
    assert isinstance(unclear, UnclearColumn)
    assert [(each.column, each.name, list(each.numbers)) for each in unclear.columns] == [
        (1, None, ["201001234567", "201001234569"]),
        (2, None, ["201001234568", "201001234570"]),
    ]
    assert find_format(lines, "2") == ListFormat(",", 1, 0)
    assert find_format(["Home,Office", *lines], "office") == ListFormat(",", 1, 1)
    for missing in ("3", "0", "Mobile"):
        with pytest.raises(LookupError):
            find_format(lines, missing)


@given(st.text())
@example("a\rb")
@example("\r201000000011")
@example("x" * 200_000)
def test_any_text_is_a_row_or_an_invalid_row(text: str) -> None:
    """Red before: the module `csv` refused a carriage return, and a cell of more than 131,072 characters."""
    found = find_format([text])
    rows = list(read_rows([text], 1, found if isinstance(found, ListFormat) else ListFormat(",", 0, 0)))
    assert len(rows) == (1 if text.strip() else 0)
