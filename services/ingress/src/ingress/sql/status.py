"""Statements: the status of messages and deliveries."""

from sqlalchemy import text

MESSAGES_INSERT = text("""
INSERT INTO ingress.message (message_id, package_id, lane, kind, recipients, accepted_at, traceparent)
SELECT * FROM unnest(CAST(:message_ids AS text[]), CAST(:package_ids AS text[]), CAST(:lanes AS text[]),
                     CAST(:kinds AS text[]), CAST(:recipients AS int[]), CAST(:accepted_ats AS timestamptz[]),
                     CAST(:traceparents AS text[]))
ON CONFLICT DO NOTHING""")
MESSAGE = text("""
SELECT message_id, package_id, lane, kind, recipients, accepted_at, cancelled_at
FROM ingress.message WHERE message_id = :message_id""")
MESSAGE_COUNTS = text("""
SELECT status, count(*) AS deliveries FROM ingress.delivery WHERE message_id = :message_id GROUP BY status""")
MESSAGE_CANCEL = text("""
UPDATE ingress.message SET cancelled_at = coalesce(cancelled_at, :now) WHERE message_id = :message_id""")

DELIVERIES_FOLD = text("""
INSERT INTO ingress.delivery AS known
    (delivery_id, message_id, package_id, lane, recipient, status, stage, attempt, turn, at,
     profile_id, index, reason, failure, gateway_message_id, sent_at)
SELECT * FROM unnest(
    CAST(:delivery_ids AS text[]), CAST(:message_ids AS text[]), CAST(:package_ids AS text[]), CAST(:lanes AS text[]),
    CAST(:recipients AS text[]), CAST(:statuses AS text[]), CAST(:stages AS int[]), CAST(:attempts AS int[]),
    CAST(:turns AS bigint[]), CAST(:ats AS timestamptz[]), CAST(:profile_ids AS text[]), CAST(:indexes AS int[]),
    CAST(:reasons AS text[]), CAST(:failures AS text[]), CAST(:gateway_message_ids AS text[]),
    CAST(:sent_ats AS timestamptz[]))
ON CONFLICT (delivery_id) DO UPDATE SET
    (status, stage, attempt, turn, at, reason, failure, profile_id, index, gateway_message_id, sent_at) = (
        SELECT status, stage, attempt, turn, at, reason, failure,
               coalesce(profile_id, known.profile_id, excluded.profile_id), coalesce(known.index, excluded.index),
               coalesce(known.gateway_message_id, excluded.gateway_message_id),
               coalesce(known.sent_at, excluded.sent_at)
        FROM (VALUES (known.status, known.stage, known.attempt, known.turn, known.at, known.reason, known.failure,
                      known.profile_id),
                     (excluded.status, excluded.stage, excluded.attempt, excluded.turn, excluded.at, excluded.reason,
                      excluded.failure, excluded.profile_id))
             AS pair (status, stage, attempt, turn, at, reason, failure, profile_id)
        ORDER BY stage DESC, attempt DESC, turn DESC LIMIT 1)
WHERE (excluded.stage, excluded.attempt, excluded.turn) > (known.stage, known.attempt, known.turn)
   OR known.index IS NULL AND excluded.index IS NOT NULL
   OR known.gateway_message_id IS NULL AND excluded.gateway_message_id IS NOT NULL
   OR known.sent_at IS NULL AND excluded.sent_at IS NOT NULL""")
"""What `ingress.core.facts.merge` says, in bulk: the report that came further holds, the other fills its gaps."""

_DELIVERY_COLUMNS = """
delivery_id, message_id, package_id, lane, recipient, profile_id, status, attempt, index, reason, failure,
gateway_message_id, sent_at, at AS updated_at"""
DELIVERY = text("SELECT " + _DELIVERY_COLUMNS + " FROM ingress.delivery WHERE delivery_id = :delivery_id")
DELIVERIES = text(
    "SELECT "
    + _DELIVERY_COLUMNS
    + """
FROM ingress.delivery WHERE message_id = :message_id AND delivery_id > :after ORDER BY delivery_id LIMIT :limit"""
)

MESSAGES = text("""
SELECT message_id, package_id, lane, kind, recipients, accepted_at, cancelled_at,
       coalesce((SELECT jsonb_object_agg(status, deliveries)
                 FROM (SELECT status, count(*) AS deliveries FROM ingress.delivery
                       WHERE delivery.message_id = message.message_id GROUP BY status) AS counted), '{}') AS counted
FROM ingress.message
WHERE package_id = :package_id AND (CAST(:lane AS text) IS NULL OR lane = :lane)
  AND (CAST(:before_at AS timestamptz) IS NULL OR (accepted_at, message_id) < (:before_at, :before_id))
ORDER BY accepted_at DESC, message_id DESC LIMIT :limit""")
