"""Queue lengths: the statements that count the queues of profiles, and keep the counts of long ones."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text


@dataclass(frozen=True, slots=True)
class QueueLength:
    """The number of deliveries in a profile's queue, and the time of the newest assignment that it contains.

    `is_counted`: False if the queue is long and has not been counted yet. Then `held` is too small.
    """

    profile_id: str
    assigned_until: datetime | None
    held: int
    is_counted: bool


IN_QUEUE_ORDER = text("SELECT set_config('enable_bitmapscan', 'off', true), set_config('enable_seqscan', 'off', true)")
"""Makes Postgres read an index in its order. Right after a large intake, the planner believes that few deliveries are
held. Without this statement, Postgres would then read all of a queue to find the first deliveries."""

QUEUE_LENGTHS = text("""
SELECT asked.profile_id, CASE WHEN is_long THEN coalesce(kept.assigned_until, asked.assigned_until)
                              ELSE asked.assigned_until END AS assigned_until,
       CASE WHEN is_long THEN greatest(kept.held, counted.deliveries) ELSE counted.deliveries END AS held,
       NOT is_long OR kept.profile_id IS NOT NULL AS is_counted
FROM (SELECT * FROM pacer.profile WHERE profile_id = ANY (CAST(:profile_ids AS text[]))) AS asked
CROSS JOIN LATERAL (
    SELECT count(*) AS deliveries, count(*) > :exact_max AS is_long FROM (
        SELECT 1 FROM pacer.delivery WHERE delivery.profile_id = asked.profile_id AND state = 'held'
        LIMIT :exact_max + 1) AS first) AS counted
LEFT JOIN pacer.queue_length AS kept ON kept.profile_id = asked.profile_id""")
"""Reads at most `exact_max` + 1 deliveries of each profile, however many it holds."""

LONG_QUEUE_INSERT = text("""
INSERT INTO pacer.queue_length (profile_id) SELECT name FROM unnest(CAST(:profile_ids AS text[])) AS name
ORDER BY name ON CONFLICT DO NOTHING""")

LONG_QUEUE_NEXT = text("""
SELECT profile_id FROM pacer.queue_length
WHERE counted_at IS NULL OR counted_at < clock_timestamp() - make_interval(secs => :every_seconds)
ORDER BY counted_at NULLS FIRST LIMIT 1 FOR UPDATE SKIP LOCKED""")

LONG_QUEUE_COUNT = text("""
UPDATE pacer.queue_length SET held = counted.deliveries, assigned_until = counted.assigned_until,
                              counted_at = clock_timestamp()
FROM (
    SELECT count(*) AS deliveries,
           (SELECT assigned_until FROM pacer.profile WHERE profile_id = :profile_id) AS assigned_until
    FROM (SELECT 1 FROM pacer.delivery WHERE profile_id = :profile_id AND state = 'held' LIMIT :count_max) AS held
) AS counted
WHERE profile_id = :profile_id""")
"""One statement reads the count and the newest assignment, so the two belong together."""

LONG_QUEUE_DELETE = text("""
DELETE FROM pacer.queue_length WHERE profile_id = :profile_id AND held <= :exact_max""")
