"""Statements: the status of messages and deliveries."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import text

from ingress.core.status import WAITING
from spreader.contract.bounds import Bound
from spreader.contract.events import Lane, Status
from spreader.runtime.rows import column, columns, unnest


@dataclass(frozen=True, slots=True)
class AcceptedMessage:
    """A message as the caller requested it."""

    message_id: str
    package_id: str
    lane: Lane
    kind: str
    accepted_at: datetime
    recipients: int = column("int")
    cancelled_at: datetime | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class CountedMessage(AcceptedMessage):
    """A message with the number of its deliveries in each status. Held deliveries without a profile are counted as
    WAITING."""

    counts: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class FoldedDelivery:
    """A delivery as events update it. `stage`, `attempt` and `turn` are the fields of its `Progress`."""

    delivery_id: str
    message_id: str
    package_id: str
    lane: Lane
    recipient: str
    status: Status
    turn: int
    at: datetime
    profile_id: str | None
    reason: str | None
    failure: str | None
    gateway_message_id: str | None
    sent_at: datetime | None
    stage: int = column("int")
    attempt: int = column("int")
    index: int | None = column("int")


@dataclass(frozen=True, slots=True)
class ShownDelivery:
    """A delivery as callers see it."""

    delivery_id: str
    message_id: str
    package_id: str
    lane: Lane
    recipient: str
    profile_id: str | None
    status: Status
    attempt: int
    index: int | None
    reason: str | None
    failure: str | None
    gateway_message_id: str | None
    sent_at: datetime | None
    updated_at: datetime


_COUNTS = f"""
coalesce((SELECT jsonb_object_agg(status, deliveries)
          FROM (SELECT CASE WHEN status = 'held' AND reason = '{Bound.WAITING_FOR_PROFILE}' THEN '{WAITING}'
                            ELSE status END AS status, count(*) AS deliveries
                FROM ingress.delivery WHERE delivery.message_id = message.message_id GROUP BY 1) AS counted),
         '{{}}') AS counts"""

MESSAGES_INSERT = text(f"""
INSERT INTO ingress.message ({columns(AcceptedMessage)})
SELECT {columns(AcceptedMessage)} FROM {unnest(AcceptedMessage, "accepted")}
ON CONFLICT DO NOTHING""")
MESSAGE = text(f"""
SELECT {columns(AcceptedMessage)}, {_COUNTS} FROM ingress.message WHERE message_id = :message_id""")
MESSAGES = text(f"""
SELECT {columns(AcceptedMessage)}, {_COUNTS} FROM ingress.message
WHERE package_id = :package_id AND (CAST(:lane AS text) IS NULL OR lane = :lane)
  AND (CAST(:before_at AS timestamptz) IS NULL OR (accepted_at, message_id) < (:before_at, :before_id))
ORDER BY accepted_at DESC, message_id DESC LIMIT :limit""")
MESSAGE_CANCEL = text("""
UPDATE ingress.message SET cancelled_at = coalesce(cancelled_at, :now) WHERE message_id = :message_id""")

DELIVERIES_FOLD = text(f"""
INSERT INTO ingress.delivery AS known ({columns(FoldedDelivery)})
SELECT {columns(FoldedDelivery)} FROM {unnest(FoldedDelivery, "folded")}
ON CONFLICT (delivery_id) DO UPDATE SET
    (status, stage, attempt, turn, at, reason, failure, profile_id, index, gateway_message_id, sent_at) = (
        SELECT status, stage, attempt, turn, at, reason, failure,
               coalesce(profile_id, known.profile_id, excluded.profile_id),
               coalesce(index, known.index, excluded.index),
               coalesce(gateway_message_id, known.gateway_message_id, excluded.gateway_message_id),
               coalesce(sent_at, known.sent_at, excluded.sent_at)
        FROM (VALUES (known.status, known.stage, known.attempt, known.turn, known.at, known.reason, known.failure,
                      known.profile_id, known.index, known.gateway_message_id, known.sent_at),
                     (excluded.status, excluded.stage, excluded.attempt, excluded.turn, excluded.at, excluded.reason,
                      excluded.failure, excluded.profile_id, excluded.index, excluded.gateway_message_id,
                      excluded.sent_at))
             AS pair (status, stage, attempt, turn, at, reason, failure, profile_id, index, gateway_message_id,
                      sent_at)
        ORDER BY stage DESC, attempt DESC, turn DESC LIMIT 1)
WHERE (excluded.stage, excluded.attempt, excluded.turn) > (known.stage, known.attempt, known.turn)
   OR known.index IS NULL AND excluded.index IS NOT NULL
   OR known.gateway_message_id IS NULL AND excluded.gateway_message_id IS NOT NULL
   OR known.sent_at IS NULL AND excluded.sent_at IS NOT NULL""")
"""Merges a stored row and a new row like `ingress.core.delivery_updates.merge`. The row with more progress wins. Its
empty columns are filled from the other row. So the profile and the gateway message id are of the same attempt.
"""

_DELIVERY = f"SELECT {columns(ShownDelivery)} FROM (SELECT *, at AS updated_at FROM ingress.delivery) AS delivery "
DELIVERY = text(_DELIVERY + "WHERE delivery_id = :delivery_id")
DELIVERIES = text(
    _DELIVERY + "WHERE message_id = :message_id AND delivery_id > :after ORDER BY delivery_id LIMIT :limit"
)
