"""Waiting strategy: from when on a delivery may go, as far as the message itself is concerned."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from spreader.events import OpenOptions

IMMEDIATE, ORDINARY = 0, 1
DRIP_INTERVAL_DEFAULT = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Turn:
    """A delivery's place in its profile's queue: by rank, then by `not_before`, then by arrival."""

    rank: int
    not_before: datetime


def turn(options: OpenOptions, requested_at: datetime, index: int) -> Turn:
    """Where delivery number `index` of a message stands. A schedule in the past means now; drip adds to it."""
    begin = max(options.schedule_at or requested_at, requested_at)
    match options.waiting_strategy:
        case "immediate":
            return Turn(IMMEDIATE, begin)
        case "drip":
            minutes = options.drip_interval_minutes
            interval = DRIP_INTERVAL_DEFAULT if minutes is None else timedelta(minutes=minutes)
            return Turn(ORDINARY, begin + index * interval)
        case "queued" | "scheduled" | "smart":
            return Turn(ORDINARY, begin)
