"""Canonical number: one form for the numbers that WhatsApp may know in two forms.

In three countries, WhatsApp keeps the accounts of older mobile numbers under another form than the number that is
dialled today. Both forms are the same phone:

- Brazil: mobile numbers got a 9 after the area code. The canonical form has this 9. Landline numbers have no such 9.
- Mexico: until 2019, numbers were dialled with a 1 after the country code. The canonical form has no such 1.
- Argentina: mobile numbers have a 9 after the country code when they are dialled from abroad. The canonical form has
  this 9, because WhatsApp has only mobile numbers.
"""

import re

_BRAZIL = re.compile(r"(55[1-9]\d)([6-9]\d{7})")
_MEXICO = re.compile(r"521(\d{10})")
_ARGENTINA = re.compile(r"54([1-8]\d{9})")
_OTHER_FORMS = (
    (re.compile(r"(55[1-9]\d)9([6-9]\d{7})"), r"\1\2"),
    (re.compile(r"52(\d{10})"), r"521\1"),
    (re.compile(r"549([1-8]\d{9})"), r"54\1"),
)
"""For each country, a pattern of canonical numbers, and the other form of such a number."""


def canonical(number: str) -> str:
    """The canonical form of a number. `number`: digits with the country code."""
    if match := _BRAZIL.fullmatch(number):
        return f"{match[1]}9{match[2]}"
    if match := _MEXICO.fullmatch(number):
        return f"52{match[1]}"
    if match := _ARGENTINA.fullmatch(number):
        return f"549{match[1]}"
    return number


def spellings(number: str) -> tuple[str, ...]:
    """Each form of the number, the canonical one first. A person may be known by any of these forms."""
    one = canonical(number)
    others = (pattern.sub(form, one) for pattern, form in _OTHER_FORMS if pattern.fullmatch(one))
    return one, *(other for other in others if canonical(other) == one)
