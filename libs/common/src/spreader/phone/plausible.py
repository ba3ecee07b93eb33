"""Plausible number: whether a country uses such a number, by the numbering plans of Google's libphonenumber.

The library may not know a new range of numbers yet. So an implausible number only causes a warning, and is still
dialled.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import phonenumbers
from phonenumbers import ValidationResult

from spreader.phone.canonical import person_key
from spreader.phone.numbering_plan import is_valid

SAMPLES_MAX = 5

_REASONS = {
    ValidationResult.TOO_SHORT: "it is too short for its country",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "it is too short for its country",
    ValidationResult.TOO_LONG: "it is too long for its country",
    ValidationResult.INVALID_LENGTH: "its country has no numbers of this length",
}


def implausibility(number: str) -> str | None:
    """Why no country seems to use an international number. None: the number is plausible."""
    return None if is_valid(number) else _reason(number)


def _reason(number: str) -> str:
    try:
        parsed = phonenumbers.parse(f"+{person_key(number)}")
    except phonenumbers.NumberParseException:
        return "no country has this code"
    return _REASONS.get(phonenumbers.is_possible_number_with_reason(parsed), "its country has no such numbers")


@dataclass(frozen=True, slots=True)
class SampleNumber:
    """A number, and why it is implausible."""

    number: str
    detail: str


@dataclass
class ImplausibleNumbers:
    """How many numbers of a list are implausible, and the first few implausible numbers."""

    count: int = 0
    samples: list[SampleNumber] = field(default_factory=list[SampleNumber])

    def add(self, numbers: Iterable[str]) -> None:
        for number in numbers:
            if not is_valid(number):
                self.count += 1
                if len(self.samples) < SAMPLES_MAX:
                    self.samples.append(SampleNumber(number, _reason(number)))


def implausible_numbers(numbers: Sequence[str]) -> ImplausibleNumbers:
    found = ImplausibleNumbers()
    found.add(numbers)
    return found
