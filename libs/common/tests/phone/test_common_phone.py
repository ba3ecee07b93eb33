"""Phone numbers: the key of a person whose number has two spellings, and the time zone of a number."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from spreader.phone.canonical import every_spelling, one_each, other_spelling, person_key, spellings
from spreader.phone.sql_spellings import IS_NO_KEY, PERSON_KEY, SPELLINGS
from spreader.phone.time_zone import zone_of
from spreader.runtime.postgres import create_engine
from spreader.settings import Settings

NOON = datetime(2026, 1, 10, 12, tzinfo=UTC)


NUMBERS = st.from_regex(r"(55|521?|549?|20)[0-9]{5,12}", fullmatch=True)

PAIRS = [
    ("558299448232", "5582999448232"),
    ("551187654321", "5511987654321"),
    ("5215512345678", "525512345678"),
    ("541155551234", "5491155551234"),
]
"""Another spelling, and the key."""


@pytest.mark.parametrize(("number", "key"), PAIRS)
def test_both_spellings_of_a_number_have_one_key(number: str, key: str) -> None:
    assert (person_key(number), person_key(key)) == (key, key)
    assert spellings(number) == spellings(key) == (key, number)
    assert one_each([number, key]) == (number,)
    assert one_each([key, number]) == (key,)
    assert every_spelling([number, key, "201001234567"]) == [key, number, "201001234567"]


@pytest.mark.parametrize("number", ["551133334444", "551123334444", "551153334444", "201001234567", "5211234", "54"])
def test_a_landline_and_a_number_of_another_country_have_one_spelling(number: str) -> None:
    assert spellings(number) == (number,)


@given(NUMBERS)
def test_a_key_is_its_own_key_and_that_of_every_spelling(number: str) -> None:
    key = person_key(number)
    assert person_key(key) == key
    assert number in spellings(number)
    assert {person_key(spelling) for spelling in spellings(number)} == {key}


@pytest.mark.postgres
async def test_the_statements_know_the_same_keys_and_spellings(database_url: str) -> None:
    numbers = [number for pair in PAIRS for number in pair]
    numbers += [
        number[:place] + digit + number[place + 1 :] for number in numbers for place in (2, 4, 5) for digit in "159"
    ]
    numbers += ["551133334444", "201001234567", "5211234", "54", ""]
    statement = f"""
SELECT number, {PERSON_KEY.format("number")}, {IS_NO_KEY.format("number")}, {SPELLINGS.format("number")}
FROM unnest(CAST(:numbers AS text[])) AS given (number)"""
    engine = create_engine(Settings(database_url=database_url), "reader")
    async with engine.connect() as connection:
        rows = (await connection.execute(text(statement), {"numbers": numbers})).all()
    await engine.dispose()
    for number, key, is_no_key, both in rows:
        expected = person_key(number)
        assert (key, is_no_key) == (expected, expected != number)
        assert both == [number, other_spelling(expected) if expected == number else expected]


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
