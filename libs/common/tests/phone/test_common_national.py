"""National numbers become international ones, and implausible numbers are known."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spreader.phone.canonical import person_key
from spreader.phone.national import COUNTRIES, complete
from spreader.phone.numbering_plan import is_valid
from spreader.phone.plausible import implausibility, implausible_numbers


@pytest.mark.parametrize(
    ("number", "country", "expected"),
    [
        ("01001234567", "EG", "201001234567"),
        ("00201001234567", "EG", "201001234567"),
        ("201001234567", "EG", "201001234567"),
        ("1001234567", "EG", "201001234567"),
        ("2001001234567", "EG", "201001234567"),
        ("01601234567", "EG", "201601234567"),  # a range that the library does not know
        ("00966501234567", "EG", "966501234567"),
        ("005215512345678", "EG", "5215512345678"),  # the form that WhatsApp knows
        ("0501234567", "SA", "966501234567"),
        ("0612345678", "IT", "390612345678"),
        ("0707123456", "CI", "2250707123456"),
        ("06301234567", "HU", "36301234567"),
        ("89161234567", "RU", "79161234567"),
        ("810442079460958", "RU", "442079460958"),
        ("2025550123", "US", "12025550123"),
        ("011442079460958", "US", "442079460958"),
        ("00442079460958", "US", "442079460958"),
        ("0011442079460958", "AU", "442079460958"),
        ("0111523456789", "AR", "5491123456789"),
        ("0445512345678", "MX", "525512345678"),
        ("015512345678", "MX", "525512345678"),
        ("5215512345678", "MX", "5215512345678"),
        ("04111987654321", "BR", "5511987654321"),
        ("08299448232", "BR", "558299448232"),
        ("558299448232", "BR", "558299448232"),
    ],
)
def test_a_national_number_is_completed(number: str, country: str, expected: str) -> None:
    assert complete(number, country) == expected


@pytest.mark.parametrize(
    ("number", "country"),
    [
        ("01001234567", None),
        ("01001234567", "XX"),
        ("0000000", "EG"),
        ("01234567", "EG"),
        ("0100123456789", "EG"),
        ("00990123456789", "EG"),
        ("4520123456", "US"),
        ("6581234567", "EG"),
    ],
)
def test_what_cannot_be_completed_stays(number: str, country: str | None) -> None:
    assert complete(number, country) == number


@given(st.from_regex(r"[0-9]{7,15}", fullmatch=True), st.sampled_from(["EG", "US", "BR", "MX", "AR", "IT", "RU", "DE"]))
def test_a_completed_number_is_complete(number: str, country: str) -> None:
    completed = complete(number, country)
    assert complete(completed, country) == completed
    assert completed == number or not completed.startswith("0")


def test_every_country_has_a_code_of_iso_3166() -> None:
    assert all(len(country) == 2 and country.isupper() for country in COUNTRIES)


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("201001234567", None),
        ("5215512345678", None),
        ("558299448232", None),
        ("541155551234", None),
        ("20100123456", "no such numbers"),
        ("2010012345670", "too long"),
        ("201901234567", "no such numbers"),
        ("9990000000", "no country"),
        ("12345678", "too short"),
    ],
)
def test_an_implausible_number_has_its_reason(number: str, reason: str | None) -> None:
    found = implausibility(number)
    assert found is None if reason is None else found is not None and reason in found


def test_implausible_numbers_are_counted_and_the_first_are_shown() -> None:
    found = implausible_numbers(["201001234567", *(f"2010012345{number:03}" for number in range(7))])
    assert (found.count, [sample.number[-1] for sample in found.samples]) == (7, ["0", "1", "2", "3", "4"])


NEAR = st.builds(
    lambda country, place, digit, cut: (cut, place, digit, country),
    st.sampled_from(sorted(COUNTRIES)),
    st.integers(0, 14),
    st.sampled_from("0123456789"),
    st.integers(0, 2),
)


@given(NEAR | st.from_regex(r"[1-9][0-9]{6,14}", fullmatch=True))
def test_a_number_is_valid_exactly_if_the_library_says_so(number: str | tuple[int, int, str, str]) -> None:
    if isinstance(number, tuple):  # near an existing number
        cut, place, digit, country = number
        example = phonenumbers.example_number(country)
        assert example is not None
        text = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164).removeprefix("+")
        number = (text[:place] + digit + text[place + 1 :])[: len(text) - cut]
    expected = False
    try:
        parsed = phonenumbers.parse(f"+{person_key(number)}")
        kept = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) == f"+{person_key(number)}"
        expected = kept and phonenumbers.is_valid_number(parsed)
    except phonenumbers.NumberParseException:
        pass
    assert is_valid(number) == expected
