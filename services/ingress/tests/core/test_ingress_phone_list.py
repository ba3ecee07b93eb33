"""Phone lists are read in every way that people write them."""

import pytest

from ingress.core.phone_list import InvalidRow, PhoneRow, header_column, read_rows


def test_numbers_are_read_in_every_usual_notation() -> None:
    rows = [
        "201001234567",
        "+20 100 123-4568",
        "",
        "00201001234569;Mona",
        '"2010 01234570",x',
        "Omar",
        "12",
        "٢٠١٠٠١٢٣٤٥٦٧",
    ]
    assert list(read_rows(rows, first_line=2)) == [
        PhoneRow(2, "201001234567"),
        PhoneRow(3, "201001234568"),
        PhoneRow(5, "201001234569"),
        PhoneRow(6, "201001234570"),
        *(
            InvalidRow(line, "phone_number", "a phone number is 7 to 15 digits in international form")
            for line in (7, 8, 9)
        ),
    ]


@pytest.mark.parametrize(
    ("first", "column"),
    [
        ("201001234567", None), ("phone", 0), ("Recipient", 0), ("name,Phone Number,city", 1), ("Name;Telefon", 0),
        ("", None), ("+20 100 1234567,Mona", None),
    ],
)  # fmt: skip
def test_a_header_has_a_known_name_or_no_digits(first: str, column: int | None) -> None:
    assert header_column(first) == column
