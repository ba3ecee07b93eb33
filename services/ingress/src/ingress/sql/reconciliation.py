"""Statements: the size and age of the outbox, and the unfinished deliveries by the service that has them."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text


@dataclass(frozen=True, slots=True)
class OutboxBacklog:
    records: int
    oldest_seconds: float | None


@dataclass(frozen=True, slots=True)
class UnfinishedDeliveries:
    """Unfinished deliveries that the pacer and the sender have, according to the status projection."""

    pacer: int
    sender: int


@dataclass(frozen=True, slots=True)
class MessageGap:
    """A message. `missing`: the number of its recipients for whom the ingress has no delivery. Usually the router has
    not handled these recipients yet, so there is no event about their deliveries."""

    message_id: str
    accepted_at: datetime
    missing: int


OUTBOX = text("""
SELECT (SELECT count(*) FROM ingress.outbox WHERE refusal IS NULL) AS records,
       (SELECT CAST(extract(epoch FROM clock_timestamp() - put_at) AS float8)
        FROM ingress.outbox WHERE refusal IS NULL ORDER BY outbox_id LIMIT 1) AS oldest_seconds""")

UNFINISHED = text("""
SELECT count(*) FILTER (WHERE lane = 'open' AND status = 'held') AS pacer,
       count(*) FILTER (WHERE lane = 'reply' OR status <> 'held') AS sender
FROM ingress.delivery WHERE stage = 0 AND at <= :until""")

_GAPS = """
SELECT message_id, accepted_at, recipients - (
    SELECT count(*) FROM ingress.delivery WHERE delivery.message_id = message.message_id) AS missing
FROM ingress.message WHERE """
GAPS_AFTER = text(
    _GAPS
    + """(accepted_at, message_id) > (CAST(:after AS timestamptz), CAST(:after_id AS text)) AND accepted_at <= :until
ORDER BY accepted_at, message_id LIMIT :limit"""
)
GAPS_OF = text(_GAPS + "message_id = ANY (CAST(:message_ids AS text[]))")
