"""Statements: the outbox."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import text

from spreader.runtime.rows import unnest


@dataclass(frozen=True, slots=True)
class NewOutboxRow:
    position: int
    topic: str
    key: str
    body: str | None
    headers: str
    """A JSON object."""


@dataclass(frozen=True, slots=True)
class OutboxRow:
    outbox_id: int
    topic: str
    key: str
    body: str | None
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RefusedRow:
    outbox_id: int
    refusal: str


INSERT = text(f"""
INSERT INTO ingress.outbox (topic, key, body, headers)
SELECT topic, key, body, CAST(headers AS jsonb) FROM {unnest(NewOutboxRow, "record")} ORDER BY position""")
LOCK = text("SELECT pg_try_advisory_xact_lock(hashtext('ingress.outbox'))")
BATCH = text("""
WITH due AS (
    (SELECT outbox_id, topic, key, body, headers FROM ingress.outbox
     WHERE topic <> :bulk AND refusal IS NULL ORDER BY outbox_id LIMIT :limit)
    UNION ALL
    (SELECT outbox_id, topic, key, body, headers FROM ingress.outbox
     WHERE topic = :bulk AND refusal IS NULL ORDER BY outbox_id LIMIT :bulk_max)),
measured AS (
    SELECT *, sum(octet_length(coalesce(body, ''))) OVER (PARTITION BY topic = :bulk ORDER BY outbox_id) AS bytes,
           min(outbox_id) OVER (PARTITION BY topic = :bulk) AS first
    FROM due)
SELECT outbox_id, topic, key, body, headers FROM measured
WHERE bytes <= :bytes_max OR outbox_id = first ORDER BY topic = :bulk, outbox_id""")
"""Records of large messages have their own limit. So a change of settings does not wait behind a bulk import."""
SET_ASIDE = text(f"""
UPDATE ingress.outbox SET refusal = refused.refusal
FROM {unnest(RefusedRow, "refused")} WHERE outbox.outbox_id = refused.outbox_id""")
DELETE = text("DELETE FROM ingress.outbox WHERE outbox_id = ANY(CAST(:outbox_ids AS bigint[]))")
