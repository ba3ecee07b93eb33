"""Recipient parts: the recipients of a request without repeats, in parts that are small enough for one step.

Each part stays packed until the ingress handles it. So 100,000 recipients need only one or two MB of memory, and no
step with recipients holds up the event loop.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from spreader.contract.events import RECIPIENTS_PER_RECORD_MAX

PART_MAX = RECIPIENTS_PER_RECORD_MAX
"""How many recipients a part has at most. The ingress handles one part in one step of its event loop."""
SAMPLE_MAX = 200


@dataclass(frozen=True, slots=True)
class RecipientParts:
    count: int
    repeats: int
    """How many numbers were left out because they had occurred before."""
    sample: tuple[str, ...]
    """Some recipients, evenly spread. They are enough for a forecast, which needs only their time zones."""
    packed: tuple[bytes, ...]

    @classmethod
    def of(cls, numbers: Sequence[str]) -> Self:
        """`numbers` are valid phone numbers."""
        recipients = tuple(dict.fromkeys(numbers))
        parts = (recipients[start : start + PART_MAX] for start in range(0, len(recipients), PART_MAX))
        sample = recipients[:: sample_step(len(recipients))][:SAMPLE_MAX]
        packed = tuple(",".join(part).encode() for part in parts)
        return cls(len(recipients), len(numbers) - len(recipients), sample, packed)

    def __len__(self) -> int:
        """How many parts there are."""
        return len(self.packed)

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        return (tuple(part.decode().split(",")) for part in self.packed)


def sample_step(count: int) -> int:
    """The step between two recipients of the sample. If it is 5, every fifth recipient belongs to the sample."""
    return max(count // SAMPLE_MAX, 1)
