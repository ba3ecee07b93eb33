"""Typed numbers are read as those in a file, one or many."""

import pytest

from console.core.recipients.recipient_list import RecipientScan, warning_words
from console.core.recipients.typed_numbers import read_typed

ONE, TWO = "201001234567", "201001234568"


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("", ()),
        (ONE, (ONE,)),
        (f"{ONE},{TWO}", (ONE, TWO)),
        (f"{ONE}\n{TWO}\n", (ONE, TWO)),
        (f"{ONE} {TWO}", (ONE, TWO)),
        (f"{ONE}\t{TWO}", (ONE, TWO)),
        (f"{ONE}، {TWO}", (ONE, TWO)),
        ("+20 100 123 4567", (ONE,)),
        ("+20 100 123 4567 +20 100 123 4568", (ONE, TWO)),
        ("+20 (100) 123-4567; 00201001234568", (ONE, TWO)),
        ("01001234567", (ONE,)),
        ("٠١٠٠١٢٣٤٥٦٧\n\u200f٠١٠٠١٢٣٤٥٦٨", (ONE, TWO)),
        ("wa.me/201001234567", (ONE,)),
    ],
)
def test_numbers_are_read_however_they_are_typed(text: str, numbers: tuple[str, ...]) -> None:
    typed = read_typed(text, "EG")
    assert (typed.numbers, typed.problem) == (numbers, "")


@pytest.mark.parametrize(
    ("text", "numbers", "problem"),
    [
        ("01001234567", (), "“01001234567”: it begins with 0"),
        (f"{ONE}, Mona", (ONE,), "“Mona”: it has letters"),
        (f"{ONE} Mona", (ONE,), "“Mona”: it has letters"),
        ("+20 100", (), "“+20 100”: it has 5 digits"),
        (f"{ONE}/{TWO}", (), "it has several numbers"),
    ],
)
def test_what_is_no_number_is_named(text: str, numbers: tuple[str, ...], problem: str) -> None:
    typed = read_typed(text)
    assert typed.numbers == numbers
    assert problem in typed.problem


def test_many_wrong_parts_are_counted() -> None:
    assert read_typed(",".join("abcdefg")).problem.endswith("and 2 more")


def test_a_row_with_a_number_beyond_the_known_columns_is_wrong() -> None:
    scan = RecipientScan(width=2)
    assert scan.add(2, ["Mona", ONE], 1) == ONE
    assert scan.add(3, ["Omar", ONE, TWO], 1) is None
    assert [(error.line, error.why[:18]) for error in scan.errors] == [(3, "it has several num")]


def test_implausible_numbers_are_used_with_a_warning() -> None:
    scan = RecipientScan()
    assert scan.add(2, ["2010012345670"], 0) == "2010012345670"
    assert warning_words(scan.implausible).startswith("1 number seems to exist in no country")
    assert warning_words(RecipientScan().implausible) == ""
