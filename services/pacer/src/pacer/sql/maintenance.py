"""Maintenance: the statements that expire held deliveries, delete old rows, and count the queue."""

from dataclasses import dataclass

from sqlalchemy import text

from spreader.contract.age import REMEMBERED


@dataclass(frozen=True, slots=True)
class QueueCount:
    """`due`: the held deliveries whose `not_before` has passed. `waiting`: those without a profile."""

    held: int
    due: int
    waiting: int


EXPIRE = text("""
UPDATE pacer.delivery SET state = 'expired', announced = false, reason = 'it expired before its release',
                          changed_at = clock_timestamp()
WHERE delivery_id IN (SELECT delivery_id FROM pacer.delivery WHERE state = 'held' AND expires_at <= :now
                      LIMIT :rows FOR UPDATE SKIP LOCKED)""")

DELETE_OLD = (
    text(f"""
DELETE FROM pacer.delivery WHERE delivery_id IN (
    SELECT delivery_id FROM pacer.delivery WHERE state NOT IN ('held', 'released') AND announced
      AND changed_at < clock_timestamp() - interval '{REMEMBERED}' ORDER BY changed_at LIMIT :rows)"""),
    text(f"""
DELETE FROM pacer.message WHERE message_id IN (
    SELECT message_id FROM pacer.message WHERE noted_at < clock_timestamp() - interval '{REMEMBERED}'
      AND NOT EXISTS (SELECT 1 FROM pacer.delivery WHERE delivery.message_id = message.message_id) LIMIT :rows)"""),
    text(f"""
DELETE FROM pacer.cancellation WHERE message_id IN (
    SELECT message_id FROM pacer.cancellation
    WHERE noted_at < clock_timestamp() - interval '{REMEMBERED}' AND pending_after IS NULL
      AND NOT EXISTS (SELECT 1 FROM pacer.delivery WHERE delivery.message_id = cancellation.message_id)
    LIMIT :rows)"""),
    text("""
DELETE FROM pacer.release WHERE (profile_id, number) IN (
    SELECT profile_id, number FROM pacer.release
    WHERE effective_at < CAST(:now AS timestamptz) - interval '35 days' LIMIT :rows)"""),
    text("""
DELETE FROM pacer.contact WHERE (profile_id, recipient) IN (
    SELECT profile_id, recipient FROM pacer.contact
    WHERE greatest(last_release, wrote_at) < CAST(:now AS timestamptz) - interval '180 days' LIMIT :rows)"""),
)
"""Each statement deletes at most `rows` rows. A delivery may be deferred or assigned again long after its message was
cancelled. So a cancellation is kept for as long as the pacer has a delivery of its message."""

QUEUE_COUNT = text("""
SELECT count(*) AS held, count(*) FILTER (WHERE not_before <= :now) AS due,
       count(*) FILTER (WHERE starts_with(profile_id, :waiting)) AS waiting
FROM pacer.delivery WHERE state = 'held'""")
