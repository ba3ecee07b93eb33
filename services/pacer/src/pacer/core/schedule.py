"""Waiting strategy: from when on a delivery may go, as far as the message itself is concerned."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pacer.core.recipient_hours import zone_of
from spreader.contract.events import OpenOptions

IMMEDIATE, ORDINARY = 0, 1
DRIP_INTERVAL_DEFAULT = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Turn:
    """A delivery's place in its profile's queue: by rank, then by `not_before`, then by arrival."""

    rank: int
    not_before: datetime


def turn(options: OpenOptions, requested_at: datetime, index: int, total: int, recipient: str) -> Turn:
    """Where delivery number `index` (from 0) of a message to `total` recipients stands, as its strategy says.

    A schedule in the past means now; drip adds to it. (`smart` has its moment from the recipient's habits: see timing.)
    """
    begin = max(_scheduled(options, recipient) or requested_at, requested_at)
    if options.waiting_strategy == "drip":
        return Turn(ORDINARY, begin + _drip(options, begin, index, total))
    return Turn(IMMEDIATE if options.waiting_strategy == "immediate" else ORDINARY, begin)


def _scheduled(options: OpenOptions, recipient: str) -> datetime | None:
    if options.schedule_local is not None:
        return options.schedule_local.replace(tzinfo=zone_of(recipient)).astimezone(UTC)
    return options.schedule_at


def _drip(options: OpenOptions, begin: datetime, index: int, total: int) -> timedelta:
    """Evenly until a moment, so that the last one is due then; else at an interval."""
    if options.drip_until is not None:
        return max(options.drip_until - begin, timedelta(0)) * min(index / max(total - 1, 1), 1)
    minutes = options.drip_interval_minutes
    return index * (DRIP_INTERVAL_DEFAULT if minutes is None else timedelta(minutes=minutes))
