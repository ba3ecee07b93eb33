"""Number columns: lists as people really have them."""

import pytest

from spreader.phone.number_column import find_layout

NUMBERS = "201001234567", "201001234568", "201001234569"


def rows(text: str) -> list[list[str]]:
    return [line.split(",") for line in text.split("\n")]


@pytest.mark.parametrize(
    ("text", "column", "first_row"),
    [
        ("Record ID,First Name,Mobile Phone Number\n20100555,Mona,201001234567\n20100556,Omar,201001234568", 2, 1),
        ("Order Number,Phone\n10012345,201001234567\n10012346,201001234568", 1, 1),
        ("Hotel,Contact no\nHilton,201001234567\nRitz,201001234568", 1, 1),
        ("Cancelled,WA\n20240115,201001234567\n20240116,201001234568", 1, 1),
        ("Name,Phone 1 - Value\nMona,+20 100 123 4567", 1, 1),
        ("الرقم,رقم الهاتف\n20100555,201001234567\n20100556,201001234568", 1, 1),
        ("Home phone,WhatsApp\n20223456789,201001234567", 1, 1),
        ("Date,Phone\n2024-01-15,201001234567", 1, 1),
        ("Mona,201001234567\nOmar,201001234568", 1, 0),
        ("201001234567\n201001234568", 0, 0),
        ("\nName,Mobile\nMona,201001234567", 1, 2),
        ("Customers of May\nName,Mobile\nMona,201001234567", 1, 2),
        ("Name,Mobile\n,\nMona,", 1, 1),
        ("Name,Mobile\nMona,2.01E+11\nOmar,201001234567", 1, 1),
        ("phone\n201001234567 / 201001234568\n201001234569", 0, 1),
        ("Phone list of May\nName,Mobile\nMona,none\nOmar,201001234567", 1, 2),
        ("Rufname,Nummer\nMona,2024-01-15\nOmar,201001234567", 1, 1),
        ("Mona,2.01E+11\nOmar,201001234567", 1, 0),
        ("201001234567 / 201001234568\n201001234569", 0, 0),
    ],
)
def test_the_column_with_the_numbers_is_found(text: str, column: int, first_row: int) -> None:
    layout = find_layout(rows(text))
    assert (layout.column, layout.first_row) == (column, first_row)


@pytest.mark.parametrize(
    "text",
    [
        "A,B\n201001234567,201001234568\n201001234569,201001234570",
        "Phone,Telephone\n201001234567,201001234568",
        "Name,City\nMona,Cairo",
        "201001234567,20100123456789",
    ],
)
def test_a_guess_that_may_be_wrong_says_so(text: str) -> None:
    assert not find_layout(rows(text)).is_sure


@pytest.mark.parametrize("text", ["Name,Phone\nMona,201001234567", "201001234567\n201001234568", "Mona,201001234567"])
def test_a_clear_list_is_sure(text: str) -> None:
    assert find_layout(rows(text)).is_sure


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("phone\n201001234567\n201001234568,201001234569", 1),
        ("Customers of May\nMona,201001234567,20100555\nOmar,201001234568,20100556", 3),
        ("name,phone,city\nMona,201001234567", 3),
        ("", 0),
    ],
)
def test_the_usual_number_of_columns_is_known(text: str, width: int) -> None:
    assert find_layout(rows(text) if text else []).width == width


def test_an_empty_list_has_a_layout() -> None:
    layout = find_layout([])
    assert (layout.header, layout.first_row, layout.column, layout.is_sure) == (None, 0, 0, False)
