"""Dialled numbers: the phone numbers of a request in international form.

A number that begins with 0 has no country's code. It is refused, unless it is a national number of the package's
default country. A national number is completed with the country's code.
"""

from collections.abc import Sequence

from spreader.contract.ids import NO_COUNTRY_CODE
from spreader.http.problems import ERRORS_MAX, INVALID, FieldError, Problem, invalid
from spreader.phone.national import complete


def dialled_number(number: str, country: str | None, pointer: str) -> str:
    """The number in international form. `country`: the country of the package. Raises `invalid`."""
    dialled = complete(number, country)
    if dialled.startswith("0"):
        raise invalid(pointer, "phone_number", _detail(country))
    return dialled


def dialled_numbers(numbers: Sequence[str], country: str | None, pointer: str) -> tuple[str, ...] | Problem:
    """The numbers in international form. If some cannot be completed, the result is the problem `invalid`, which names
    them."""
    dialled = tuple(numbers) if country is None else tuple(complete(number, country) for number in numbers)
    wrong = [place for place, number in enumerate(dialled) if number.startswith("0")]
    if not wrong:
        return dialled
    detail = _detail(country)
    more = "" if len(wrong) == 1 else f" (and {len(wrong) - 1} more)"
    errors = [FieldError(f"{pointer}/{place}", "phone_number", detail) for place in wrong[:ERRORS_MAX]]
    return Problem(INVALID, f"{errors[0].pointer}: {detail}{more}", errors)


def _detail(country: str | None) -> str:
    if country is None:
        return NO_COUNTRY_CODE
    return f"it begins with 0, and is not a number that is dialled in the package's country ({country})"
