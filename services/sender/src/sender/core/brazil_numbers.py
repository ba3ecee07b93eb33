"""Brazilian number: a mobile number that WhatsApp may know with or without the 9 before its last eight digits.

Brazil put a 9 before the mobile numbers that began with 6 to 9. WhatsApp keeps older accounts under the form without
it. Numbers that were issued later (a 9, then a digit from 1 to 5) always have the 9. Landline numbers never have it.
"""

import re

_MOBILE = re.compile(r"(55[1-9]\d)(9?)([6-9]\d{7})")


def other_form(number: str) -> str | None:
    """The same phone number in its other form; None for a number that has only one form."""
    match = _MOBILE.fullmatch(number)
    if match is None:
        return None
    area, nine, rest = match.groups()
    return f"{area}{rest}" if nine else f"{area}9{rest}"
