"""Phone numbers: the canonical form of a number, and its time zone."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spreader.phone.canonical import canonical, spellings
from spreader.phone.time_zone import zone_of

NOON = datetime(2026, 1, 10, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("558299448232", "5582999448232"),
        ("5582999448232", "5582999448232"),
        ("551133334444", "551133334444"),  # a landline number
        ("5215512345678", "525512345678"),
        ("525512345678", "525512345678"),
        ("541155551234", "5491155551234"),
        ("5491155551234", "5491155551234"),
        ("201001234567", "201001234567"),
        ("5211234", "5211234"),
    ],
)
def test_both_forms_of_a_number_have_one_canonical_form(number: str, expected: str) -> None:
    assert canonical(number) == expected


@given(st.from_regex(r"(55|521?|549?|20)[0-9]{5,12}", fullmatch=True))
def test_a_canonical_form_is_its_own(number: str) -> None:
    assert canonical(canonical(number)) == canonical(number)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("558299448232", ("5582999448232", "558299448232")),
        ("551133334444", ("551133334444",)),
        ("525512345678", ("525512345678", "5215512345678")),
        ("541155551234", ("5491155551234", "541155551234")),
        ("201001234567", ("201001234567",)),
    ],
)
def test_a_person_is_known_by_each_form_of_the_number(number: str, expected: tuple[str, ...]) -> None:
    assert spellings(number) == expected


@given(st.from_regex(r"(55|521?|549?|20)[0-9]{5,12}", fullmatch=True))
def test_all_forms_of_a_number_have_the_same_forms(number: str) -> None:
    assert number in spellings(number)
    assert {spellings(form) for form in spellings(number)} == {spellings(number)}


@pytest.mark.parametrize(
    ("number", "zone"),
    [
        ("5215512345678", "America/Mexico_City"),
        ("558299448232", "America/Maceio"),
        ("551187654321", "America/Sao_Paulo"),
        ("541155551234", "America/Argentina/Buenos_Aires"),
        ("201001234567", "Africa/Cairo"),
        ("9999999", "UTC"),
    ],
)
def test_every_form_of_a_number_has_its_time_zone(number: str, zone: str) -> None:
    assert zone_of(number).utcoffset(NOON) == ZoneInfo(zone).utcoffset(NOON)
