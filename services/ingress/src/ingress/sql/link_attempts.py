"""Statements: linkings that are under way, and webhooks that are being verified."""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import text

from spreader.contract.link_answers import LinkMethod
from spreader.runtime.rows import columns


@dataclass(frozen=True, slots=True)
class LinkAttemptRow:
    method: LinkMethod
    began_at: datetime
    expires_at: datetime
    sealed_code: str | None = field(repr=False)


BEGIN = text("""
INSERT INTO ingress.link_attempt (profile_id, method, began_at, expires_at, sealed_code, asked_until)
VALUES (:profile_id, :method, :began_at, :expires_at, NULL, now() + CAST(:asked AS interval))
ON CONFLICT (profile_id) DO UPDATE SET
    method = excluded.method, began_at = excluded.began_at, expires_at = excluded.expires_at, sealed_code = NULL,
    asked_until = excluded.asked_until""")
FIND = text(f"SELECT {columns(LinkAttemptRow)} FROM ingress.link_attempt WHERE profile_id = :profile_id")
CLAIM_CODE = text("""
UPDATE ingress.link_attempt SET asked_until = now() + CAST(:asked AS interval)
WHERE profile_id = :profile_id AND began_at = :began_at AND sealed_code IS NULL
  AND (asked_until IS NULL OR asked_until < now())""")
"""Changes a row if this process may ask the gateway for a code. A second code would make the first one invalid."""
KEEP_CODE = text("""
UPDATE ingress.link_attempt SET sealed_code = coalesce(CAST(:sealed_code AS text), sealed_code), asked_until = NULL
WHERE profile_id = :profile_id AND began_at = :began_at""")
END = text("DELETE FROM ingress.link_attempt WHERE profile_id = :profile_id")

BEGIN_CHECK = text("""
INSERT INTO ingress.webhook_check (profile_id, began_at) VALUES (:profile_id, now())
ON CONFLICT (profile_id) DO UPDATE SET began_at = excluded.began_at, received_at = NULL""")
NOTE_CALL = text("""
UPDATE ingress.webhook_check SET received_at = now() WHERE profile_id = :profile_id AND received_at IS NULL""")
RECEIVED = text("SELECT received_at FROM ingress.webhook_check WHERE profile_id = :profile_id")
