"""Statements: the deliveries that a message sends again for another message."""

from dataclasses import dataclass

from sqlalchemy import text

from spreader.contract.ids import ERASED


@dataclass(frozen=True, slots=True)
class ResentDelivery:
    delivery_id: str
    recipient: str


TO_RESEND = text(f"""
SELECT delivery_id, recipient FROM ingress.delivery
WHERE message_id = :message_id AND status = ANY(CAST(:statuses AS text[])) AND resent_as IS NULL
  AND recipient <> '{ERASED}'
ORDER BY delivery_id FOR UPDATE""")
MARK_RESENT = text("""
UPDATE ingress.delivery SET resent_as = :resent_as WHERE delivery_id = ANY(CAST(:delivery_ids AS text[]))""")
"""The transaction locks nothing more after this statement, because its trigger may write counts (migration 0018)."""
RECIPIENTS_OF = text("SELECT recipients FROM ingress.message WHERE message_id = :message_id")
