"""Recipient parts: the recipients of a request, each person once, in parts that are small enough for one step.

Each part stays packed until the ingress handles it. So 100,000 recipients need only one or two MB of memory, and no
step with recipients holds up the event loop.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Self

from spreader.contract.events import RECIPIENTS_PER_RECORD_MAX
from spreader.phone.canonical import one_each, person_key

PART_MAX = RECIPIENTS_PER_RECORD_MAX
"""How many recipients a part has at most. The ingress handles one part in one step of its event loop."""
PARTS_A_QUERY = 10
"""How many parts one query to Postgres has at most."""
SAMPLE_MAX = 200

Part = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RecipientParts:
    count: int
    repeats: int
    """How many numbers were left out because the person had occurred before, also in another spelling."""
    other_spellings: int
    """How many of all numbers are not the key of their person."""
    sample: tuple[str, ...]
    """Some recipients, evenly spread. They are enough for a forecast, which needs only their time zones."""
    packed: tuple[bytes, ...]

    @classmethod
    def of(cls, numbers: Sequence[str]) -> Self:
        """`numbers` are valid phone numbers."""
        recipients = one_each(numbers)
        parts = (recipients[start : start + PART_MAX] for start in range(0, len(recipients), PART_MAX))
        sample = recipients[:: sample_step(len(recipients))][:SAMPLE_MAX]
        packed = tuple(",".join(part).encode() for part in parts)
        other_spellings = sum(person_key(number) != number for number in numbers)
        return cls(len(recipients), len(numbers) - len(recipients), other_spellings, sample, packed)

    def __len__(self) -> int:
        """How many parts there are."""
        return len(self.packed)

    def __iter__(self) -> Iterator[Part]:
        return (tuple(part.decode().split(",")) for part in self.packed)

    def queries(self) -> Iterator[tuple[Part, ...]]:
        """The parts, as many at a time as one query asks about."""
        rest = iter(self)
        while parts := tuple(islice(rest, PARTS_A_QUERY)):
            yield parts


def sample_step(count: int) -> int:
    """The step between two recipients of the sample. If it is 5, every fifth recipient belongs to the sample."""
    return max(count // SAMPLE_MAX, 1)
