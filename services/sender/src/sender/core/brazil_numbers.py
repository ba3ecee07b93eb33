"""Brazil: mobile numbers have a 9 before their eight digits there, and WhatsApp knows older ones without it.

Newer ones (a 9, then 1 to 5) were never without; a landline never has one.
"""

import re

_MOBILE = re.compile(r"(55[1-9]\d)(9?)([6-9]\d{7})")


def other_form(number: str) -> str | None:
    """The same phone, written the other way; None for a number that has one form only."""
    found = _MOBILE.fullmatch(number)
    if found is None:
        return None
    area, nine, rest = found.groups()
    return f"{area}{rest}" if nine else f"{area}9{rest}"
