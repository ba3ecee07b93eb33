"""Maintenance: the statements that expire held deliveries and count the queue, and which rows are old."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from spreader.contract.age import REMEMBERED
from spreader.runtime.retention import OldRows

RELEASES_KEPT = timedelta(days=35)
"""How long a release is kept. This is longer than the longest window of a limit, which is 30 days."""


@dataclass(frozen=True, slots=True)
class QueuePlace:
    """A place in the order in which held deliveries are counted. The default is the beginning."""

    profile_id: str = ""
    rank: int = 0
    cold: bool = False
    not_before: datetime = datetime(1, 1, 1, tzinfo=UTC)
    seq: int = 0


@dataclass(frozen=True, slots=True)
class QueueCount:
    """`due`: the held deliveries whose `not_before` has passed. `waiting`: the held deliveries without a profile. If
    more deliveries may follow, the other fields are the place of the last counted delivery. Otherwise they are None."""

    held: int
    due: int
    waiting: int
    profile_id: str | None = None
    rank: int | None = None
    cold: bool | None = None
    not_before: datetime | None = None
    seq: int | None = None

    @property
    def last(self) -> QueuePlace | None:
        place = (self.profile_id, self.rank, self.cold, self.not_before, self.seq)
        return None if None in place else QueuePlace(*place)  # pyright: ignore[reportArgumentType]


EXPIRE = text("""
UPDATE pacer.delivery SET state = 'expired', announced = false, reason = 'it expired before its release',
                          changed_at = clock_timestamp()
WHERE delivery_id IN (SELECT delivery_id FROM pacer.delivery WHERE state = 'held' AND expires_at <= :now
                      LIMIT :rows FOR UPDATE SKIP LOCKED)""")

_OF_MESSAGE = "EXISTS (SELECT 1 FROM pacer.delivery WHERE delivery.message_id = {table}.message_id)"


def old_rows(keep_contacts: timedelta) -> tuple[OldRows, ...]:
    """A delivery may be deferred or assigned again long after its message was cancelled. So a cancellation is kept for
    as long as the pacer has a delivery of its message."""
    return (
        OldRows("pacer.delivery", "changed_at", REMEMBERED, where="state NOT IN ('held', 'released') AND announced"),
        OldRows("pacer.message", "noted_at", REMEMBERED, needed=_OF_MESSAGE.format(table="message")),
        OldRows(
            "pacer.cancellation",
            "noted_at",
            REMEMBERED,
            where="pending_after IS NULL",
            needed=_OF_MESSAGE.format(table="cancellation"),
        ),
        OldRows("pacer.release", "effective_at", RELEASES_KEPT, is_system_time=True),
        OldRows("pacer.contact", "greatest(last_release, wrote_at)", keep_contacts, is_system_time=True),
        OldRows("pacer.habit", "touched_at", keep_contacts),
    )


IN_QUEUE_ORDER = text("""
SELECT set_config('enable_bitmapscan', 'off', true), set_config('enable_seqscan', 'off', true),
       set_config('enable_sort', 'off', true)""")

RELEASABLE = text("""
SELECT count(*) FROM (
    SELECT FROM pacer.profile WHERE look_at <= :now AND NOT starts_with(profile_id, :waiting)
    LIMIT :profiles) AS due""")
"""Reads only the due profiles, by the index of `look_at`. A profile that a bound holds has a later `look_at`."""

_PLACE = "profile_id, rank, cold, not_before, seq"
QUEUE_COUNT = text(f"""
WITH piece AS MATERIALIZED (
    SELECT {_PLACE} FROM pacer.delivery
    WHERE state = 'held' AND ({_PLACE}) > (:profile_id, :rank, :cold, CAST(:not_before AS timestamptz), :seq)
    ORDER BY {_PLACE} LIMIT CAST(:rows AS int))
SELECT counted.*, last.* FROM (
    SELECT count(*) AS held, count(*) FILTER (WHERE not_before <= :now) AS due,
           count(*) FILTER (WHERE starts_with(profile_id, :waiting)) AS waiting
    FROM piece) AS counted
LEFT JOIN (SELECT {_PLACE} FROM piece ORDER BY {_PLACE} OFFSET CAST(:rows AS int) - 1 LIMIT 1) AS last ON true""")
"""Counts the next held deliveries, in the order of the index. `last` is empty if there are no more."""
