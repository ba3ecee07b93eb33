"""Sums: what happened within a minute of a profile's lane, or within any longer time."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from operator import add, attrgetter

from spreader.contract.events import Lane


@dataclass(frozen=True, slots=True, order=True)
class Bucket:
    """A minute of a profile's lane."""

    profile_id: str
    minute: datetime
    lane: Lane
    package_id: str = field(compare=False)
    """The package that the profile was in: not a part of what the bucket is."""


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
    """Of the new contacts of this very minute: who has not written since."""
    arrived: int = 0
    """Of what was sent in this very minute: what has been delivered since."""
    night: int = 0
    """Open messages sent while it was night where the recipient is."""

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(*map(add, values(self), values(other)))


KINDS = tuple(each.name for each in fields(Sums))
values = attrgetter(*KINDS)
"""The sums in the order of their fields."""

Failures = Mapping[tuple[Bucket, str], int]
"""How often each failure class came in a bucket."""


def minute_of(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(second=0, microsecond=0)


def hour_of(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
