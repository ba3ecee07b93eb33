"""Dressed numbers: every usual notation is read, and nothing else becomes a number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spreader.phone.dressed_number import NoNumber, read_number


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("201001234567", "201001234567"),
        ("201001234567.0", "201001234567"),
        ("201001234567,00", "201001234567"),
        ("+20 100 123-4567", "201001234567"),
        ("00201001234567", "201001234567"),
        ("+44 (0)20 7946 0958", "442079460958"),
        ("+1 (202) 555-0143", "12025550143"),
        ('="201001234567"', "201001234567"),
        ("'201001234567", "201001234567"),
        ('"201001234567"', "201001234567"),
        ("\u202a+20\u00a0100\u200b1234567\u202c", "201001234567"),
        ("\ufeff201001234567", "201001234567"),
        ("٢٠١٠٠١٢٣٤٥٦٧", "201001234567"),
        ("+۹۸۹۱۲۱۲۳۴۵۶۷", "989121234567"),
        ("20.100.123.4567", "201001234567"),
        ("+20–100–1234567", "201001234567"),
        ("201,001,234,567", "201001234567"),
        ("201,001,234,567.00", "201001234567"),
        ("201.001.234.567,00", "201001234567"),
        ('=""201001234567""', "201001234567"),
        ("=+201001234567", "201001234567"),
        ("“201001234567”", "201001234567"),
        ("++201001234567", "201001234567"),
        ("+0020 1001234567", "201001234567"),
        ("00+20 1001234567", "201001234567"),
        ("201001234567+", "201001234567"),
        ("＋２０１００１２３４５６７", "201001234567"),
        ("（＋２０）１００－１２３４５６７", "201001234567"),
        ("2\ufe0f\u20e30\ufe0f\u20e31\ufe0f\u20e3001234567", "201001234567"),
        ("tel:+20-100-123-4567", "201001234567"),
        ("https://wa.me/201001234567?text=hi%2012345678", "201001234567"),
        ("wa.me/+201001234567", "201001234567"),
        ("https://api.whatsapp.com/send?text=a&phone=%2B201001234567&x=1", "201001234567"),
        ("whatsapp://send?phone=201001234567", "201001234567"),
        ("+44(0)20 7946 0958", "442079460958"),
        ("(+44) (0)20 7946 0958", "442079460958"),
        ("44 (0)20 7946 0958", "442079460958"),
        ("+44 020 7946 0958", "442079460958"),
        ("2001001234567", "201001234567"),
        ("+39 06 1234 5678", "390612345678"),
        ("+49 30/1234567", "49301234567"),
        ("+20 100 - 123 4567", "201001234567"),
        ("22-33-4455", "22334455"),
        ("201001234567\r\n", "201001234567"),
        ("201001234567،", "201001234567"),
        (" " * 300 + "201001234567", "201001234567"),
    ],
)
def test_every_usual_notation_is_read(cell: str, expected: str) -> None:
    assert read_number(cell) == expected


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("2.01001E+11", "rounded"),
        ("2,01E11", "rounded"),
        ("2024-01-15", "date"),
        ("2024-01-15 00:00:00", "date"),
        ("15/01/2024", "date"),
        ("01001234567", "begins with 0"),
        ("201001234567 / 201001234568", "several"),
        ("1234567;7654321", "several"),
        ("1234567\n7654321", "several"),
        ("1234567\r\n7654321", "several"),
        ("201001234567 or 201001234568", "several"),
        ("201001234567 - 201001234568", "several"),
        ("٢٠١٠٠١٢٣٤٥٦٧ و ٢٠١٠٠١٢٣٤٥٦٨", "several"),
        ("201001234567، 201001234568", "several"),
        ("201001234567/68", "several"),
        ("201001234567 201001234568", "24 digits"),
        ("201001234567 (2)", "second number"),
        ("1) 201001234567", "second number"),
        ("1. 201001234567", "second number"),
        ("2.01001234567E+11", "rounded"),
        ("2٫01E+11", "rounded"),
        ("201001234567.5", "decimal"),
        ("2024. 01. 15.", "date"),
        ("01/15/2024 10:30 AM", "date"),
        ("2024-01-15T10:00:00Z", "date"),
        ("030/1234567", "begins with 0"),
        ("201001234567x12", "letters"),
        ("201001234567 #12", "letters"),
        ("tel:+201001234567;ext=5", "letters"),
        ("#N/A", "letters"),
        ("2" * 300, "300 digits"),
        ("+2" * 150, "more than 200 characters"),
        ("Omar", "letters"),
        ("201001234567 ext 5", "letters"),
        ("12", "2 digits"),
        ("1" * 16, "16 digits"),
        ("", "empty"),
        ("=", "empty"),
    ],
)
def test_what_is_no_number_has_its_reason(cell: str, reason: str) -> None:
    found = read_number(cell)
    assert isinstance(found, NoNumber)
    assert reason in found.reason


@given(st.text(alphabet="0123456789+() -./,;eE=\"'\u200f٠١ab", max_size=30) | st.text(max_size=30))
def test_nothing_but_a_number_comes_out(cell: str) -> None:
    found = read_number(cell)
    assert isinstance(found, NoNumber) or (
        found.isascii() and found.isdecimal() and 7 <= len(found) <= 15 and found[0] != "0"
    )


@pytest.mark.parametrize(
    ("cell", "country", "expected"),
    [
        ("01001234567", "EG", "201001234567"),
        ("0100 123-4567", "EG", "201001234567"),
        ("٠١٠٠١٢٣٤٥٦٧", "EG", "201001234567"),
        ("00201001234567", "EG", "201001234567"),
        ("1001234567", "EG", "201001234567"),  # a spreadsheet drops the 0
        ("(011) 15 2345-6789", "AR", "5491123456789"),
        ("+1 202 555 0143", "EG", "12025550143"),
        ("0990123", "EG", "it begins with 0"),
    ],
)
def test_a_country_completes_its_national_numbers(cell: str, country: str, expected: str) -> None:
    found = read_number(cell, country)
    assert (found.reason if isinstance(found, NoNumber) else found).startswith(expected)
