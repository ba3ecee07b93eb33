"""Statements: the responses stored for an Idempotency-Key."""

from dataclasses import dataclass

from sqlalchemy import text

from spreader.runtime.rows import columns


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """`status` and `body` are None until a request with the key has got its response."""

    body_hash: str
    status: int | None
    body: str | None


CLAIM = text("""
INSERT INTO ingress.answer AS stored (route, key, body_hash, claim, message_id)
VALUES (:route, :key, :body_hash, :claim, :message_id)
ON CONFLICT (route, key) DO UPDATE SET claim = excluded.claim, taken_at = excluded.taken_at,
    message_id = coalesce(nullif(stored.message_id, ''), excluded.message_id)
WHERE stored.status IS NULL AND stored.body_hash = excluded.body_hash
  AND (stored.claim = '' OR stored.taken_at < clock_timestamp() - interval '60 seconds')
RETURNING message_id""")
"""Claims the key and returns its message id, so that a later request with the key continues the first request's
message.

The statement returns no row if the key has a response, if the key was first used with another body, or if another
request works on the key. If a claim has no response after a minute, its process has probably died. Then the next
request takes the key over. A row from before migration 0010 has an empty message id, and this statement fills it.
"""

RESPONSE = text(f"SELECT {columns(StoredResponse)} FROM ingress.answer WHERE route = :route AND key = :key")
SAVE = text("""
UPDATE ingress.answer SET status = :status, body = :body WHERE route = :route AND key = :key AND claim = :claim""")
RELEASE = text("""
UPDATE ingress.answer SET claim = '' WHERE route = :route AND key = :key AND claim = :claim""")
DROP = text("DELETE FROM ingress.answer WHERE route = :route AND key = :key AND claim = :claim")
