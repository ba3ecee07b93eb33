"""Canonical number: the one key of a person whose number WhatsApp may know in two spellings.

In three countries, WhatsApp keeps the accounts of older mobile numbers under another spelling than the number that is
dialled today. Both spellings are the same phone:

- Brazil: mobile numbers got a 9 after the area code. The key has this 9. Landline numbers have no such 9.
- Mexico: until 2019, numbers were dialled with a 1 after the country code. The key has no such 1.
- Argentina: mobile numbers have a 9 after the country code when they are dialled from abroad. The key has this 9,
  because WhatsApp has only mobile numbers.
"""

import re
from collections.abc import Iterable
from typing import NewType

PersonKey = NewType("PersonKey", str)
"""The canonical digits of a person's number. Only `person_key` makes one, so the type shows that a number is a key."""

_COUNTRIES = ("55", "52", "54")
_BRAZIL = re.compile(r"(55[1-9][0-9])([6-9][0-9]{7})")
_MEXICO = re.compile(r"521([0-9]{10})")
_ARGENTINA = re.compile(r"54([1-8][0-9]{9})")

_BRAZIL_KEY = re.compile(r"(55[1-9][0-9])9([6-9][0-9]{7})")
_MEXICO_KEY = re.compile(r"52([0-9]{10})")
_ARGENTINA_KEY = re.compile(r"549([1-8][0-9]{9})")


def person_key(number: str) -> PersonKey:
    """The key of the person with this number. `number`: digits with the country code, in any spelling."""
    if not number.startswith(_COUNTRIES):
        return PersonKey(number)
    if match := _BRAZIL.fullmatch(number):
        return PersonKey(f"{match[1]}9{match[2]}")
    if match := _MEXICO.fullmatch(number):
        return PersonKey(f"52{match[1]}")
    if match := _ARGENTINA.fullmatch(number):
        return PersonKey(f"549{match[1]}")
    return PersonKey(number)


def other_spelling(key: PersonKey) -> str | None:
    """The second spelling of the person's number. None: there is only one."""
    if not key.startswith(_COUNTRIES):
        return None
    if match := _BRAZIL_KEY.fullmatch(key):
        return f"{match[1]}{match[2]}"
    if match := _MEXICO_KEY.fullmatch(key):
        return f"521{match[1]}"
    if match := _ARGENTINA_KEY.fullmatch(key):
        return f"54{match[1]}"
    return None


def spellings(number: str) -> tuple[str, ...]:
    """Every spelling of the number of one person. The key is the first."""
    key = person_key(number)
    other = other_spelling(key)
    return (key,) if other is None else (key, other)


def every_spelling(numbers: Iterable[str]) -> list[str]:
    """The spellings of all these numbers, each once."""
    return list(dict.fromkeys(spelling for number in numbers for spelling in spellings(number)))


def one_each(numbers: Iterable[str]) -> tuple[str, ...]:
    """One number of each person, as it was given first."""
    first: dict[PersonKey, str] = {}
    for number in numbers:
        first.setdefault(person_key(number), number)
    return tuple(first.values())
