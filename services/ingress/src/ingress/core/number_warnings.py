"""Number warnings: what may be wrong with the phone numbers of a list. These numbers are accepted nevertheless."""

from collections.abc import Sequence
from dataclasses import dataclass

from spreader.phone.plausible import ImplausibleNumbers, SampleNumber


@dataclass(frozen=True, slots=True)
class NumberWarning:
    """`count`: how many numbers the warning concerns. `samples`: the first of these numbers, if a caller cannot see
    them elsewhere."""

    code: str
    detail: str
    count: int
    samples: Sequence[SampleNumber]


def implausible(found: ImplausibleNumbers) -> list[NumberWarning]:
    if not found.count:
        return []
    detail = "these numbers seem to exist in no country: check them; they are taken all the same"
    return [NumberWarning("implausible_number", detail, found.count, found.samples)]


def other_spellings(count: int) -> list[NumberWarning]:
    """`count`: how many numbers are not the key of their person."""
    if not count:
        return []
    detail = "these numbers have another spelling, and both name one person: see `recipient_key` of the deliveries"
    return [NumberWarning("other_spelling", detail, count, ())]
