"""Retention: which rows of the ingress are old, and the statements that delete old messages with their deliveries."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text

from spreader.contract.age import REPEATED_WITHIN
from spreader.runtime.retention import OldRows

KEEP_POSSIBLE_OPT_OUTS = timedelta(days=180)
KEEP_HIDDEN_IDS = timedelta(days=365)
KEEP_HIDDEN_MESSAGES = timedelta(days=180)


@dataclass(frozen=True, slots=True)
class OldMessage:
    message_id: str
    accepted_at: datetime
    recipients: int


@dataclass(frozen=True, slots=True)
class RemovedMessage:
    """A message that callers no longer see. Its deliveries are deleted in two rounds. `is_last_look`: whether this is
    the second round."""

    message_id: str
    due_at: datetime
    is_last_look: bool


def old_rows(keep_changes: timedelta) -> tuple[OldRows, ...]:
    return (
        OldRows("ingress.answer", "taken_at", REPEATED_WITHIN),
        OldRows("ingress.change", "at", keep_changes, is_system_time=True),
        OldRows("ingress.possible_opt_out", "noted_at", KEEP_POSSIBLE_OPT_OUTS),
        OldRows("ingress.hidden_id", "learned_at", KEEP_HIDDEN_IDS),
        OldRows("ingress.hidden_message", "kept_at", KEEP_HIDDEN_MESSAGES),
        OldRows("ingress.link_attempt", "expires_at", timedelta(days=1)),
        OldRows("ingress.webhook_check", "began_at", timedelta(days=1)),
    )


OLD_MESSAGES = text("""
SELECT message_id, accepted_at, recipients FROM ingress.message
WHERE (accepted_at, message_id) > (CAST(:after AS timestamptz), CAST(:after_id AS text)) AND accepted_at < :before
ORDER BY accepted_at, message_id LIMIT :limit""")

REMOVE_MESSAGES = text("""
WITH removed AS (
    DELETE FROM ingress.message WHERE message_id = ANY (CAST(:message_ids AS text[]))
      AND NOT EXISTS (
          SELECT FROM ingress.delivery
          WHERE delivery.message_id = message.message_id AND (stage = 0 OR at >= CAST(:before AS timestamptz)))
    RETURNING message_id)
INSERT INTO ingress.removed_message (message_id) SELECT message_id FROM removed ORDER BY message_id
ON CONFLICT (message_id) DO UPDATE SET removed_at = excluded.removed_at, due_at = excluded.due_at""")
"""Removes those of the given messages whose deliveries have all ended. The last change of a delivery must be older than
`:before`."""

OLDEST_MESSAGE = text("SELECT accepted_at FROM ingress.message ORDER BY accepted_at, message_id LIMIT 1")

REMOVED_MESSAGES = text("""
SELECT message_id, due_at, due_at > removed_at AS is_last_look FROM ingress.removed_message
WHERE due_at <= statement_timestamp() ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED""")

DELETE_DELIVERIES = text("""
DELETE FROM ingress.delivery WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM ingress.delivery WHERE message_id = ANY (CAST(:message_ids AS text[]))
    LIMIT CAST(:rows AS int)))""")

LOOK_AGAIN = text("""
UPDATE ingress.removed_message SET due_at = removed_at + CAST(:again_after AS interval)
WHERE message_id = ANY (CAST(:message_ids AS text[]))""")

FORGET_REMOVED = text("""
WITH removed AS (
    DELETE FROM ingress.removed_message WHERE message_id = ANY (CAST(:message_ids AS text[])) RETURNING message_id)
DELETE FROM ingress.message_count USING removed WHERE message_count.message_id = removed.message_id""")
"""Forgets removed messages and their counts. A removed message may have counts again, because a delivery may have been
stored after the removal. Before this statement, run `ingress.sql.status.COUNTS_TURN` to wait for the turn to write
counts."""

TAKE_LEASE = text("""
INSERT INTO ingress.lease AS known (name, holder, until)
VALUES (:name, :holder, statement_timestamp() + CAST(:lasts AS interval))
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
WHERE known.holder = excluded.holder OR known.until < statement_timestamp()
RETURNING name""")
"""Begins or prolongs the lease of a holder. Returns no row while another holder has the lease."""
