"""Statements: the responses that are kept for an Idempotency-Key."""

from sqlalchemy import text

CLAIM = text("""
INSERT INTO ingress.answer AS known (route, key, body_hash, claim, message_id)
VALUES (:route, :key, :body_hash, :claim, :message_id)
ON CONFLICT (route, key) DO UPDATE SET claim = excluded.claim, taken_at = excluded.taken_at
WHERE known.status IS NULL AND known.body_hash = excluded.body_hash
  AND (known.claim = '' OR known.taken_at < clock_timestamp() - interval '60 seconds')
RETURNING message_id""")
"""The message of the key: a later try goes on with that of the first.

A claim without an answer after a minute is a process that died: the next request goes on in its place.
"""

RESPONSE = text("SELECT body_hash, status, body FROM ingress.answer WHERE route = :route AND key = :key")
SAVE = text("""
UPDATE ingress.answer SET status = :status, body = :body WHERE route = :route AND key = :key AND claim = :claim""")
RELEASE = text("""
UPDATE ingress.answer SET claim = '' WHERE route = :route AND key = :key AND claim = :claim""")
DROP = text("DELETE FROM ingress.answer WHERE route = :route AND key = :key AND claim = :claim")
DELETE_OLD = text("""
DELETE FROM ingress.answer WHERE (route, key) IN (
    SELECT route, key FROM ingress.answer WHERE taken_at < clock_timestamp() - interval '72 hours' LIMIT :limit
    FOR UPDATE SKIP LOCKED)""")
"""Locked: a row that a request takes over just now is young again."""
