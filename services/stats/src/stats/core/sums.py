"""Sums: the counts of one lane of a profile in one minute, or in any longer time."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from operator import add, attrgetter

from spreader.contract.events import Lane


@dataclass(frozen=True, slots=True, order=True)
class MinuteBucket:
    """One minute of one lane of a profile."""

    profile_id: str
    minute: datetime
    lane: Lane
    package_id: str = field(compare=False)
    """The profile's package at that time. Two buckets that differ only in the package are the same bucket."""


@dataclass(frozen=True, slots=True)
class Sums:
    sent: int = 0
    acknowledged: int = 0
    delivered: int = 0
    read: int = 0
    failed: int = 0
    received: int = 0
    answered: int = 0
    new_contacts: int = 0
    unanswered: int = 0
    """The new contacts of this time who have not written since then."""
    arrived: int = 0
    """The number of messages that were sent in this time and have been delivered, at any time since then."""
    night: int = 0
    """Open messages sent during the recipient's night."""

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(*map(add, values(self), values(other)))


KINDS = tuple(kind.name for kind in fields(Sums))
values = attrgetter(*KINDS)
"""The counts of a `Sums` in the order of its fields."""

Failures = Mapping[tuple[MinuteBucket, str], int]
"""The number of failures by bucket and failure class."""


def minute_of(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(second=0, microsecond=0)


def hour_of(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
