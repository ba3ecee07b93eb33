"""Statements: the outbox."""

from sqlalchemy import text

INSERT = text("""
INSERT INTO ingress.outbox (topic, key, body, headers)
SELECT topic, key, body, CAST(headers AS jsonb)
FROM unnest(CAST(:topics AS text[]), CAST(:keys AS text[]), CAST(:bodies AS text[]), CAST(:headers AS text[]))
     WITH ORDINALITY AS row (topic, key, body, headers, place) ORDER BY place""")
LOCK = text("SELECT pg_try_advisory_xact_lock(hashtext('ingress.outbox'))")
BATCH = text("""
(SELECT outbox_id, topic, key, body, headers FROM ingress.outbox WHERE topic <> :bulk ORDER BY outbox_id LIMIT :limit)
UNION ALL
(SELECT outbox_id, topic, key, body, headers FROM ingress.outbox WHERE topic = :bulk ORDER BY outbox_id
 LIMIT :bulk_max)""")
"""Large messages apart: a change of settings does not wait behind a bulk import."""
DELETE = text("DELETE FROM ingress.outbox WHERE outbox_id = ANY(CAST(:outbox_ids AS bigint[]))")
