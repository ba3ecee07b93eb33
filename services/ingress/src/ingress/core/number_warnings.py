"""Number warnings: what may be wrong with the phone numbers of a list. The numbers are taken all the same."""

from collections.abc import Sequence
from dataclasses import dataclass

from spreader.phone.plausible import ImplausibleNumbers, SampleNumber


@dataclass(frozen=True, slots=True)
class NumberWarning:
    """`count`: how many numbers it concerns. `samples` has the first of them."""

    code: str
    detail: str
    count: int
    samples: Sequence[SampleNumber]


def implausible(found: ImplausibleNumbers) -> list[NumberWarning]:
    if not found.count:
        return []
    detail = "these numbers seem to exist in no country: check them; they are taken all the same"
    return [NumberWarning("implausible_number", detail, found.count, found.samples)]
