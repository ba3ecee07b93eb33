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
