"""Numbering plan: which numbers the countries use, by Google's libphonenumber."""

import re
from functools import cache

import phonenumbers
from phonenumbers import PhoneMetadata

from spreader.phone.canonical import person_key

_KINDS = (
    *("fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost"),
    *("personal_number", "voip", "pager", "uan", "voicemail"),
)
"""The kinds of numbers of a country, as libphonenumber names them."""
COUNTRY_CODE_DIGITS_MAX = 3


def is_valid(number: str) -> bool:
    """Whether an international number is in a range that its country uses, as far as the library knows.

    This gives the same result as the library's `is_valid_number`, but takes a tenth of its time.
    """
    number = person_key(number)
    code = country_code(number)
    return code is not None and _numbers_of(int(code)).fullmatch(number, len(code)) is not None


def country_code(number: str) -> str | None:
    """The country's code at the beginning of a number. None: no country has such a code."""
    if number.startswith("0"):
        return None
    codes = (number[:digits] for digits in range(1, COUNTRY_CODE_DIGITS_MAX + 1))
    return next((code for code in codes if code and int(code) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE), None)


@cache
def _numbers_of(code: int) -> re.Pattern[str]:
    """The numbers of all countries with this code, without the code."""
    patterns = dict[str, None]()
    for region in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code]:
        is_international = region == phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY
        metadata = (
            PhoneMetadata.metadata_for_nongeo_region(code)
            if is_international
            else PhoneMetadata.metadata_for_region(region)
        )
        kinds = (getattr(metadata, kind, None) for kind in _KINDS)
        patterns |= dict.fromkeys(kind.national_number_pattern for kind in kinds if kind is not None)
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns if pattern) or r"(?!)")
