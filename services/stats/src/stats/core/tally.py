"""Tally: what a batch of facts adds to the counts, each fact once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntFlag

from spreader.events import CustomerMessage, DeliveryOutcome, Lane


class Marks(IntFlag):
    """What has been counted of a delivery already."""

    NONE = 0
    SENT = 1
    DELIVERED = 2
    READ = 4
    FAILED = 8


IMPLIED: Mapping[str, Marks] = {
    "sent": Marks.SENT,
    "delivered": Marks.SENT | Marks.DELIVERED,
    "read": Marks.SENT | Marks.DELIVERED | Marks.READ,
    "failed": Marks.FAILED,
}
"""What a status tells: who has read a message was also sent it. Other statuses count nothing."""


@dataclass(frozen=True, slots=True, order=True)
class Bucket:
    """A minute of a profile's lane."""

    profile_id: str
    minute: datetime
    lane: Lane


@dataclass(frozen=True, slots=True)
class Sums:
    """What happened within a bucket."""

    sent: int = 0
    delivered: int = 0
    read: int = 0
    failed: int = 0
    received: int = 0

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(
            self.sent + other.sent,
            self.delivered + other.delivered,
            self.read + other.read,
            self.failed + other.failed,
            self.received + other.received,
        )


@dataclass(frozen=True, slots=True)
class Tally:
    """The sums to add, by bucket, and the marks of the deliveries that got new ones."""

    added: Mapping[Bucket, Sums]
    marks: Mapping[str, Marks]

    @property
    def profiles(self) -> frozenset[str]:
        return frozenset(bucket.profile_id for bucket in self.added)


def countable(outcomes: Iterable[DeliveryOutcome]) -> list[DeliveryOutcome]:
    """The outcomes that say something about a profile."""
    return [outcome for outcome in outcomes if outcome.status in IMPLIED and outcome.profile_id is not None]


def fold(outcomes: Iterable[DeliveryOutcome], known: Mapping[str, Marks]) -> Tally:
    """Count what is new in `outcomes`; `known` are the marks of their deliveries so far.

    Marks only gather, so any order and any repetition of a delivery's outcomes gives the same counts. What a receipt
    implies is counted in the receipt's own minute, and stays there when the earlier fact arrives late.
    """
    added: dict[Bucket, Sums] = {}
    marks: dict[str, Marks] = {}
    for outcome in countable(outcomes):
        before = marks.get(outcome.delivery_id, known.get(outcome.delivery_id, Marks.NONE))
        new = IMPLIED[outcome.status] & ~before
        if new and outcome.profile_id is not None:
            marks[outcome.delivery_id] = before | new
            _add(added, Bucket(outcome.profile_id, minute_of(outcome.at), outcome.lane), _sums(new))
    return Tally(added, marks)


def receive(messages: Iterable[CustomerMessage]) -> Tally:
    """Count customers' messages that were not seen before, in the reply lane: that is where they are answered."""
    added: dict[Bucket, Sums] = {}
    for message in messages:
        _add(added, Bucket(message.profile_id, minute_of(message.at), "reply"), Sums(received=1))
    return Tally(added, {})


def minute_of(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(second=0, microsecond=0)


def _add(added: dict[Bucket, Sums], bucket: Bucket, sums: Sums) -> None:
    added[bucket] = added.get(bucket, Sums()) + sums


def _sums(new: Marks) -> Sums:
    return Sums(
        sent=int(Marks.SENT in new),
        delivered=int(Marks.DELIVERED in new),
        read=int(Marks.READ in new),
        failed=int(Marks.FAILED in new),
    )
