"""Number warnings: what may be wrong with the phone numbers of a list. These numbers are accepted nevertheless."""

from collections.abc import Sequence
from dataclasses import dataclass

from spreader.phone.plausible import ImplausibleNumbers, SampleNumber


@dataclass(frozen=True, slots=True)
class NumberWarning:
    """`count`: how many numbers the warning concerns. `samples`: the first of these numbers."""

    code: str
    detail: str
    count: int
    samples: Sequence[SampleNumber]


def implausible(found: ImplausibleNumbers) -> list[NumberWarning]:
    if not found.count:
        return []
    detail = "these numbers seem to exist in no country: check them; they are taken all the same"
    return [NumberWarning("implausible_number", detail, found.count, found.samples)]
