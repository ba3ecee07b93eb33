"""National number: a phone number as it is dialled inside its own country, completed with the country code."""

import phonenumbers
from phonenumbers import PhoneNumberFormat, ValidationResult

from spreader.contract.ids import RECIPIENT_DIGITS_MAX, RECIPIENT_DIGITS_MIN
from spreader.phone.canonical import person_key
from spreader.phone.numbering_plan import COUNTRY_CODE_DIGITS_MAX, country_code, is_valid

COUNTRIES = frozenset(phonenumbers.SUPPORTED_REGIONS)
"""The ISO 3166 codes of the countries whose numbering plan is known."""

_INTERNATIONAL_PREFIX = "00"
_FORMER_PREFIXES = {"MX": ("044", "045", "01")}
"""What people dialled before a mobile number until 2019, and still write."""


def complete(number: str, country: str | None) -> str:
    """The number in international form. `number`: ASCII digits. `country`: the ISO 3166 code of the country in which
    the number is dialled.

    If the country is not known, the number is returned unchanged. A number that begins with 0 is read as it is dialled
    in the country. Any other number is completed under two conditions: no country has it as an international number,
    and this country has it as a national number. If it is not completed, only a needless 0 after its country code is
    removed.
    """
    if country not in COUNTRIES:
        return number
    if not number.startswith("0"):
        if is_valid(number):
            return number
        national = _national(number, country)
        return national if is_valid(national) else without_trunk_zero(number)
    abroad = number.removeprefix(_INTERNATIONAL_PREFIX) if number.startswith(_INTERNATIONAL_PREFIX) else ""
    candidates = [each for each in (_national(number, country), without_trunk_zero(abroad)) if _is_dialled(each)]
    likely = [each for each in candidates if is_valid(each)]
    likely += [each for each in candidates[::-1] if _fits(each) and not is_valid(_national(each, country))]
    return likely[0] if likely else number


def without_trunk_zero(number: str) -> str:
    """The number without a needless 0 after its country code, as in +44 020 7946 0958. `number`: digits with the
    country code.

    The number stays unchanged if it is valid with the 0, as numbers in Italy are. It also stays unchanged if it is not
    valid without the 0.
    """
    if "0" not in number[1 : COUNTRY_CODE_DIGITS_MAX + 1]:  # so that most numbers need no numbering plan
        return number
    code = country_code(number)
    if code is None or not number.startswith(f"{code}0") or is_valid(number):
        return number
    without = code + number[len(code) + 1 :]
    return without if is_valid(without) else number


def _national(number: str, country: str) -> str:
    for prefix in _FORMER_PREFIXES.get(country, ()):
        if number.startswith(prefix) and len(number) == len(prefix) + 10:
            return _national(number.removeprefix(prefix), country)
    parsed = _parsed(number, country)
    return "" if parsed is None else phonenumbers.format_number(parsed, PhoneNumberFormat.E164).removeprefix("+")


def _is_dialled(number: str) -> bool:
    return not number.startswith("0") and RECIPIENT_DIGITS_MIN <= len(number) <= RECIPIENT_DIGITS_MAX


def _fits(number: str) -> bool:
    """Whether the number has a length that its country uses, and no 0 that is dialled only inside the country."""
    parsed = _parsed(f"+{person_key(number)}", None)
    if (
        parsed is None
        or parsed.country_code is None
        or phonenumbers.is_possible_number_with_reason(parsed) != ValidationResult.IS_POSSIBLE
    ):
        return False
    region = phonenumbers.region_code_for_country_code(parsed.country_code)
    trunk_prefix = phonenumbers.ndd_prefix_for_region(region, strip_non_digits=True)
    return not (trunk_prefix == "0" and number.startswith(f"{parsed.country_code}0"))


def _parsed(number: str, country: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(number, country)
    except phonenumbers.NumberParseException:
        return None
