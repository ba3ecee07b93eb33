"""Statements of the books: what waits in the outbox, and whose deliveries have no end yet."""

from sqlalchemy import text

OUTBOX = text("""
SELECT (SELECT count(*) FROM ingress.outbox) AS records,
       (SELECT CAST(extract(epoch FROM clock_timestamp() - put_at) AS float8)
        FROM ingress.outbox ORDER BY outbox_id LIMIT 1) AS oldest_seconds""")

UNSETTLED = text("""
SELECT count(*) FILTER (WHERE lane = 'open' AND status = 'held') AS pacer,
       count(*) FILTER (WHERE lane = 'reply' OR status <> 'held') AS sender
FROM ingress.delivery WHERE stage = 0 AND at <= :until""")

_MISSING = """
SELECT message_id, accepted_at, recipients - (
    SELECT count(*) FROM ingress.delivery WHERE delivery.message_id = message.message_id) AS missing
FROM ingress.message WHERE """
ACCEPTED = text(
    _MISSING
    + """(accepted_at, message_id) > (CAST(:after AS timestamptz), CAST(:after_id AS text)) AND accepted_at <= :until
ORDER BY accepted_at, message_id LIMIT :limit"""
)
STILL = text(_MISSING + "message_id = ANY (CAST(:message_ids AS text[]))")
