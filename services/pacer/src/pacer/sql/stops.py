"""Statements that stop what is held: it was cancelled, or its recipient must not be written to."""

from sqlalchemy import text

from pacer.sql.contacts import STILL_HELD

CANCELLATION_INSERT = text("""
INSERT INTO pacer.cancellation (message_id, at)
SELECT * FROM unnest(CAST(:message_ids AS text[]), CAST(:ats AS timestamptz[])) ON CONFLICT DO NOTHING""")

CANCEL_HELD = text(f"""
UPDATE pacer.delivery SET state = 'cancelled', announced = false, reason = 'cancelled by the caller',
                          changed_at = clock_timestamp()
WHERE message_id = ANY (CAST(:message_ids AS text[])) AND {STILL_HELD}""")

STOPS_STAND = text("SELECT pg_advisory_xact_lock_shared(hashtext('pacer.stops'))")
STOPS_CHANGE = text("SELECT pg_advisory_xact_lock(hashtext('pacer.stops'))")
"""A stop (a cancellation, a suppression) waits for the intakes under way, whose deliveries it could not see; a later
intake sees the stop."""

SUPPRESS_HELD = text(f"""
UPDATE pacer.delivery SET state = 'suppressed', announced = false, reason = :reason, changed_at = clock_timestamp()
WHERE delivery_id = ANY (ARRAY(
    SELECT found.delivery_id
    FROM unnest(CAST(:package_ids AS text[]), CAST(:recipients AS text[])) AS told (package_id, recipient)
    CROSS JOIN LATERAL (
        SELECT delivery_id FROM pacer.delivery
        WHERE delivery.recipient = told.recipient AND state = 'held'
          AND told.package_id IN (delivery.package_id, '*') OFFSET 0) AS found)) AND {STILL_HELD}""")

SUPPRESS_NOT_OPTED_IN = text(f"""
UPDATE pacer.delivery SET state = 'suppressed', announced = false, reason = :reason, changed_at = clock_timestamp()
WHERE delivery_id = ANY (ARRAY(
    SELECT waiting.delivery_id FROM pacer.profile JOIN pacer.delivery AS waiting USING (profile_id, package_id)
    WHERE profile.package_id = ANY (CAST(:package_ids AS text[])) AND waiting.state = 'held' AND NOT EXISTS (
        SELECT 1 FROM pacer.consent
        WHERE consent.recipient = waiting.recipient AND consent.package_id IN (waiting.package_id, '*')
          AND consent.kind = 'opt_in')
    LIMIT :rows)) AND {STILL_HELD}""")
