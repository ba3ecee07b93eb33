"""Schedule: the earliest release time of a delivery by its message's waiting strategy."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pacer.core.recipient_hours import zone_of
from spreader.contract.events import OpenOptions

IMMEDIATE, ORDINARY = 0, 1
DRIP_INTERVAL_DEFAULT = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class ScheduleSlot:
    """A delivery's place in its profile's queue: by rank, then by `not_before`, then by arrival."""

    rank: int
    not_before: datetime


def schedule_slot(options: OpenOptions, requested_at: datetime, index: int, total: int, recipient: str) -> ScheduleSlot:
    """The slot of delivery number `index` (from 0) of a message to `total` recipients.

    A schedule before the request means the time of the request. A drip begins at the schedule. The time of a `smart`
    message is not decided here, but from the recipient's read times (`pacer.core.best_hour`).
    """
    begin = max(_scheduled(options, recipient) or requested_at, requested_at)
    if options.waiting_strategy == "drip":
        return ScheduleSlot(ORDINARY, begin + _drip_delay(options, begin, index, total))
    return ScheduleSlot(IMMEDIATE if options.waiting_strategy == "immediate" else ORDINARY, begin)


def _scheduled(options: OpenOptions, recipient: str) -> datetime | None:
    if options.schedule_local is not None:
        return options.schedule_local.replace(tzinfo=zone_of(recipient)).astimezone(UTC)
    return options.schedule_at


def _drip_delay(options: OpenOptions, begin: datetime, index: int, total: int) -> timedelta:
    """Spread evenly up to `drip_until`, when the last delivery is due; without a `drip_until`, at a fixed interval."""
    if options.drip_until is not None:
        return max(options.drip_until - begin, timedelta(0)) * min(index / max(total - 1, 1), 1)
    minutes = options.drip_interval_minutes
    return index * (DRIP_INTERVAL_DEFAULT if minutes is None else timedelta(minutes=minutes))
