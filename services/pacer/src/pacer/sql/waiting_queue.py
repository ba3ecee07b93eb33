"""Waiting: the statements about held deliveries without a profile (`pacer.core.waiting_queue`)."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from pacer.sql.contacts import STILL_HELD
from spreader.runtime.rows import column, unnest


@dataclass(frozen=True, slots=True)
class WaitingQueue:
    """The waiting queue of a package. The pacer looks at it at `look_at` or earlier."""

    profile_id: str
    package_id: str
    look_at: datetime


@dataclass(frozen=True, slots=True)
class QueueLimit:
    profile_id: str
    per_day: int = column("int")


@dataclass(frozen=True, slots=True)
class AheadCount:
    """How many deliveries in a profile's queue would go before the first delivery of the waiting queue. The count stops
    at the profile's daily limit."""

    profile_id: str
    deliveries: int


QUEUE_INSERT = text(f"""
INSERT INTO pacer.profile AS known (profile_id, package_id, look_at)
SELECT profile_id, package_id, look_at FROM {unnest(WaitingQueue, "waiting")} ORDER BY profile_id
ON CONFLICT (profile_id) DO UPDATE SET look_at = least(known.look_at, excluded.look_at)""")

AHEAD = text(f"""
SELECT asked.profile_id, count(ahead.*) AS deliveries
FROM {unnest(QueueLimit, "asked")}
CROSS JOIN (
    SELECT rank, not_before FROM pacer.delivery WHERE profile_id = :queue AND state = 'held'
    ORDER BY rank, not_before LIMIT 1) AS first
CROSS JOIN LATERAL (
    SELECT 1 FROM (VALUES (0, false), (0, true), (1, false), (1, true)) AS part (rank, cold)
    CROSS JOIN LATERAL (
        SELECT 1 FROM pacer.delivery
        WHERE delivery.profile_id = asked.profile_id AND state = 'held' AND delivery.rank = part.rank
          AND delivery.cold = part.cold
          AND not_before <= CASE WHEN part.rank < first.rank THEN 'infinity' ELSE first.not_before END
        LIMIT asked.per_day) AS of_part
    WHERE part.rank <= first.rank
    LIMIT asked.per_day) AS ahead
GROUP BY asked.profile_id""")

GIVE_BACK = text(f"""
UPDATE pacer.delivery SET state = 'returned', announced = false, reason = :reason, changed_at = clock_timestamp()
WHERE delivery_id = ANY (ARRAY(
    SELECT delivery_id FROM pacer.delivery
    WHERE profile_id = :queue AND state = 'held'
      AND (NOT CAST(:able AS text[]) <@ tried OR CAST(:profiles AS text[]) <@ tried)
    ORDER BY rank, not_before, seq LIMIT :rows)) AND {STILL_HELD}""")
"""Gives back two kinds of deliveries: those not yet tried on some profile that can send, and those tried on all
profiles of the package."""
