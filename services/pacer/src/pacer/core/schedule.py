"""Schedule: computes the earliest release time of a delivery from its message's waiting strategy."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from spreader.contract.events import OpenOptions
from spreader.phone.time_zone import zone_of

IMMEDIATE, ORDINARY = 0, 1
DRIP_INTERVAL_DEFAULT = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class ScheduleSlot:
    """A delivery's place in its profile's queue: by rank, then by `not_before`, then by arrival."""

    rank: int
    not_before: datetime


def schedule_slot(options: OpenOptions, requested_at: datetime, index: int, total: int, recipient: str) -> ScheduleSlot:
    """The slot of delivery number `index` (from 0) of a message to `total` recipients.

    A scheduled time before the request counts as the time of the request. A drip begins at the scheduled time. This
    function does not decide the time of a `smart` message: `pacer.core.best_hour` does, from the recipient's read
    times.
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
    """With `drip_until`, the deliveries are spread evenly, and the last one is due at that time. Without it, they are
    due at a fixed interval."""
    if options.drip_until is not None:
        return max(options.drip_until - begin, timedelta(0)) * min(index / max(total - 1, 1), 1)
    minutes = options.drip_interval_minutes
    return index * (DRIP_INTERVAL_DEFAULT if minutes is None else timedelta(minutes=minutes))
