"""Stops: the statements that end held deliveries because of a cancellation or a recipient's consent."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from pacer.sql.contacts import STILL_HELD
from spreader.runtime.rows import unnest


@dataclass(frozen=True, slots=True)
class Cancellation:
    message_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class StoppedRecipient:
    """`package_id` '*': all packages."""

    package_id: str
    recipient: str


CANCELLED = "cancelled by the caller"

CANCELLATION_INSERT = text(f"""
INSERT INTO pacer.cancellation (message_id, at)
SELECT * FROM {unnest(Cancellation, "cancelled")} ON CONFLICT DO NOTHING""")

CANCEL_HELD = text(f"""
UPDATE pacer.delivery SET state = 'cancelled', announced = false, reason = '{CANCELLED}',
                          changed_at = clock_timestamp()
WHERE message_id = ANY (CAST(:message_ids AS text[])) AND {STILL_HELD}""")

STOPS_LOCK_SHARED = text("SELECT pg_advisory_xact_lock_shared(hashtext('pacer.stops'))")
STOPS_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('pacer.stops'))")
"""A stop takes this lock exclusively, and intakes share it. So a stop first waits for the intakes in progress, because
it would not see their deliveries. Every later intake sees the stop."""

SUPPRESS_HELD = text(f"""
UPDATE pacer.delivery SET state = 'suppressed', announced = false, reason = :reason, changed_at = clock_timestamp()
WHERE delivery_id = ANY (ARRAY(
    SELECT matching.delivery_id
    FROM {unnest(StoppedRecipient, "stopped")}
    CROSS JOIN LATERAL (
        SELECT delivery_id FROM pacer.delivery
        WHERE delivery.recipient = stopped.recipient AND state = 'held'
          AND stopped.package_id IN (delivery.package_id, '*') OFFSET 0) AS matching)) AND {STILL_HELD}""")

SUPPRESS_NOT_OPTED_IN = text(f"""
UPDATE pacer.delivery SET state = 'suppressed', announced = false, reason = :reason, changed_at = clock_timestamp()
WHERE delivery_id = ANY (ARRAY(
    SELECT waiting.delivery_id FROM pacer.profile JOIN pacer.delivery AS waiting USING (profile_id, package_id)
    WHERE profile.package_id = ANY (CAST(:package_ids AS text[])) AND waiting.state = 'held' AND NOT EXISTS (
        SELECT 1 FROM pacer.consent
        WHERE consent.recipient = waiting.recipient AND consent.package_id IN (waiting.package_id, '*')
          AND consent.kind = 'opt_in')
    LIMIT :rows)) AND {STILL_HELD}""")
