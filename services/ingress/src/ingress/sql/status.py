"""Statements: the status of messages and deliveries."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from pydantic import ConfigDict
from sqlalchemy import TextClause, text

from ingress.core.status import WAITING
from spreader.contract.bounds import Bound
from spreader.contract.events import Lane, Status, may_lack_recipient_key
from spreader.contract.ids import ERASED
from spreader.erasure.sql_condition import is_erased
from spreader.phone.sql_spellings import PERSON_KEY
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
    name: str | None = None
    tags: Any = column("jsonb", default="[]")  # noqa: RUF009 - a field, as with dataclasses.field
    content: Any = column("jsonb", default=None)  # noqa: RUF009
    sent_by: Any = column("jsonb", default=None)  # noqa: RUF009
    """`tags`, `content` and `sent_by` are JSON. They are written as texts and read as decoded values. `content` is None
    if its only recipient was erased, or if an older version stored the message."""
    resend_of: str | None = None


@dataclass(frozen=True, slots=True)
class NewMessage(AcceptedMessage):
    """`only_recipient`: None if the message has several recipients."""

    only_recipient: str | None = None


@dataclass(frozen=True, slots=True)
class CountedMessage(AcceptedMessage):
    """A message with the number of its deliveries in each status. Held deliveries without a profile are counted as
    WAITING."""

    counts: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class UncountedMessage:
    """A message with deliveries from the time before the database kept counts. The counts of the message lack these
    deliveries."""

    message_id: str
    recipients: int


@dataclass(frozen=True, slots=True)
class LackingCount:
    """How many deliveries of one status are missing in the counts of a message. If the number is below 0, the counts
    have too many."""

    message_id: str
    status: str
    deliveries: int


@dataclass(frozen=True, slots=True)
class FoldedDelivery:
    """A delivery as its events describe it. `stage`, `attempt` and `turn` are the fields of its `Progress`."""

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
    delivered_at: datetime | None
    read_at: datetime | None
    requested_at: datetime
    """When the message was requested. If the message id does not contain this time, the field has the time of the
    event."""
    stage: int = column("int")
    attempt: int = column("int")
    index: int | None = column("int")


@dataclass(frozen=True, slots=True)
class ShownDelivery:
    """A delivery as callers see it. `recipient_key`: the key of the recipient, if it differs from `recipient`."""

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
    accepted_at: datetime
    sent_at: datetime | None
    delivered_at: datetime | None
    read_at: datetime | None
    updated_at: datetime
    resent_as: str | None
    """The message that sends the delivery again. None: none does."""
    recipient_key: str | None = None

    __pydantic_config__ = ConfigDict(json_schema_extra=may_lack_recipient_key)


_SHOWN = f"CASE WHEN status = 'held' AND reason = '{Bound.WAITING_FOR_PROFILE}' THEN '{WAITING}' ELSE status END"
_COUNTS = f"""
coalesce(CASE WHEN counted
              THEN (SELECT jsonb_object_agg(status, deliveries) FROM ingress.message_count
                    WHERE message_count.message_id = message.message_id AND deliveries > 0)
              ELSE (SELECT jsonb_object_agg(status, deliveries)
                    FROM (SELECT {_SHOWN} AS status, count(*) AS deliveries
                          FROM ingress.delivery WHERE delivery.message_id = message.message_id GROUP BY 1) AS by_status)
         END, jsonb_build_object()) AS counts"""
"""The counts of a message by status. Triggers store and update them (migration 0018). While a message is not yet
`counted`, this expression counts its deliveries instead."""

COUNTS_TURN = text("SELECT pg_advisory_xact_lock(hashtextextended('ingress.message_count', 0))")
"""Waits for the turn to write counts (migration 0018). The transaction then has the turn until its commit."""
UNCOUNTED = text(
    f"SELECT {columns(UncountedMessage)} FROM ingress.message WHERE NOT counted ORDER BY message_id LIMIT :limit"
)
LACKING = text(f"""
SELECT {columns(LackingCount)} FROM (
    SELECT message_id, status, CAST(sum(number) AS bigint) AS deliveries FROM (
        SELECT message_id, {_SHOWN} AS status, 1 AS number
        FROM ingress.delivery WHERE message_id = ANY(CAST(:message_ids AS text[]))
        UNION ALL
        SELECT message_id, status, -deliveries
        FROM ingress.message_count WHERE message_id = ANY(CAST(:message_ids AS text[]))) AS difference
    GROUP BY message_id, status HAVING sum(number) <> 0) AS lacking""")
"""The deliveries that the counts of these messages lack. The statement reads deliveries and counts of the same moment.
Other transactions may change both meanwhile. That does not change the result, because each change of a delivery changes
the counts too."""
MARK_COUNTED = text("""
UPDATE ingress.message SET counted = true WHERE message_id = ANY(ARRAY(
    SELECT message_id FROM ingress.message WHERE message_id = ANY(CAST(:message_ids AS text[])) AND NOT counted
    ORDER BY message_id FOR UPDATE))
RETURNING message_id""")
ADD_COUNTS = text(f"""
INSERT INTO ingress.message_count AS known (message_id, status, deliveries)
SELECT message_id, status, deliveries FROM {unnest(LackingCount, "lacking")} ORDER BY message_id, status
ON CONFLICT (message_id, status) DO UPDATE SET deliveries = known.deliveries + excluded.deliveries""")

_WRITTEN = ", ".join(name for name in columns(AcceptedMessage).split(", ") if name not in ("name", "content"))
MESSAGES_INSERT = text(f"""
INSERT INTO ingress.message ({_WRITTEN}, name, content)
SELECT {_WRITTEN}, CASE WHEN NOT person.is_erased THEN name END, CASE WHEN NOT person.is_erased THEN content END
FROM {unnest(NewMessage, "accepted")}
CROSS JOIN LATERAL (
    SELECT only_recipient IS NOT NULL
           AND {is_erased("ingress", "accepted.only_recipient", "accepted.accepted_at")} AS is_erased) AS person
ON CONFLICT DO NOTHING""")
"""The words to an erased person are not stored."""
MESSAGE = text(f"""
SELECT {columns(AcceptedMessage)}, {_COUNTS} FROM ingress.message WHERE message_id = :message_id""")
_STATUS_OF_COUNTS = """
CASE WHEN counts.total = counts.held THEN 'queued' WHEN counts.held + counts.released > 0 THEN 'in_progress'
     WHEN counts.cancelled = counts.total THEN 'cancelled' ELSE 'completed' END"""
"""The status of a message, as `ingress.core.status.message_status` computes it."""
_TOTALS = """
CROSS JOIN LATERAL (
    SELECT greatest(message.recipients, stored) AS total, released, cancelled,
           held + greatest(message.recipients - stored, 0) AS held
    FROM (SELECT coalesce(sum(number), 0) AS stored,
                 coalesce(sum(number) FILTER (WHERE status IN ('held', 'waiting')), 0) AS held,
                 coalesce(sum(number) FILTER (WHERE status = 'released'), 0) AS released,
                 coalesce(sum(number) FILTER (WHERE status = 'cancelled'), 0) AS cancelled
          FROM (SELECT key AS status, CAST(value AS bigint) AS number FROM jsonb_each_text(message.counts)) AS each)
         AS sums) AS counts"""
_MESSAGES = f"""
SELECT {columns(CountedMessage)} FROM (
    SELECT {columns(AcceptedMessage)}, {_COUNTS} FROM ingress.message
    WHERE package_id = :package_id{{conditions}}
    ORDER BY accepted_at DESC, message_id DESC{{inner_limit}}) AS message{{totals}}
ORDER BY accepted_at DESC, message_id DESC LIMIT :limit"""
_MESSAGE_CONDITIONS = {
    "lane": "lane = :lane",
    "before_at": "(accepted_at, message_id) < (:before_at, :before_id)",
    "name": "strpos(lower(name), lower(:name)) > 0",
    "tag": "tags @> CAST(:tag AS jsonb)",
    "accepted_from": "accepted_at >= :accepted_from",
    "accepted_to": "accepted_at < :accepted_to",
}


@cache
def messages(filters: frozenset[str]) -> TextClause:
    """A page of a package's messages, the newest first. `filters`: the names of the parameters that filter. The
    statement contains only the conditions that are needed, because with a condition such as `:before_at IS NULL OR ...`
    Postgres would read all newer messages."""
    conditions = "".join(f" AND {each}" for name, each in _MESSAGE_CONDITIONS.items() if name in filters)
    if "statuses" not in filters:
        return text(_MESSAGES.format(conditions=conditions, inner_limit=" LIMIT :limit", totals=""))
    totals = f"{_TOTALS} WHERE {_STATUS_OF_COUNTS} = ANY(CAST(:statuses AS text[]))"
    return text(_MESSAGES.format(conditions=conditions, inner_limit="", totals=totals))


MESSAGE_CANCEL = text("""
UPDATE ingress.message SET cancelled_at = coalesce(cancelled_at, :now) WHERE message_id = :message_id""")

_STORED = ", ".join(
    name for name in columns(FoldedDelivery).split(", ") if name not in ("recipient", "gateway_message_id")
)
DELIVERIES_FOLD = text(f"""
INSERT INTO ingress.delivery AS known ({_STORED}, recipient, gateway_message_id)
SELECT {_STORED}, CASE WHEN person.is_erased THEN '{ERASED}' ELSE recipient END,
       CASE WHEN NOT person.is_erased THEN gateway_message_id END
FROM {unnest(FoldedDelivery, "folded")}
CROSS JOIN LATERAL (
    SELECT {is_erased("ingress", "folded.recipient", "folded.requested_at")} AS is_erased) AS person
ON CONFLICT (delivery_id) DO UPDATE SET
    requested_at = coalesce(known.requested_at, excluded.requested_at),
    delivered_at = coalesce(known.delivered_at, excluded.delivered_at),
    read_at = coalesce(known.read_at, excluded.read_at),
    (status, stage, attempt, turn, at, reason, failure, profile_id, index, gateway_message_id, sent_at) = (
        SELECT status, stage, attempt, turn, at, reason, failure,
               coalesce(profile_id, known.profile_id, excluded.profile_id),
               coalesce(index, known.index, excluded.index),
               CASE WHEN known.recipient <> '{ERASED}'
                    THEN coalesce(gateway_message_id, known.gateway_message_id, excluded.gateway_message_id) END,
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
   OR known.gateway_message_id IS NULL AND excluded.gateway_message_id IS NOT NULL AND known.recipient <> '{ERASED}'
   OR known.sent_at IS NULL AND excluded.sent_at IS NOT NULL
   OR known.delivered_at IS NULL AND excluded.delivered_at IS NOT NULL
   OR known.read_at IS NULL AND excluded.read_at IS NOT NULL""")
"""Merges a stored row and a new row like `ingress.core.delivery_updates.merge`. The row with more progress wins. Its
empty columns are filled from the other row. So the profile and the gateway message id are of the same attempt.

The delivery of an erased person gets no gateway message id any more, because the id may contain the number.
"""

ACCEPTED_AT = "coalesce(requested_at, at)"
"""When the message of a delivery was accepted. Deliveries that an older version has stored have only the time of their
last event."""
_COMPUTED = {
    "accepted_at": f"{ACCEPTED_AT} AS accepted_at",
    "updated_at": "at AS updated_at",
    "recipient_key": f"nullif({PERSON_KEY.format('recipient')}, recipient) AS recipient_key",
}
SHOWN_COLUMNS = ", ".join(_COMPUTED.get(name, name) for name in columns(ShownDelivery).split(", "))
_DELIVERY = f"SELECT {SHOWN_COLUMNS} FROM ingress.delivery "
DELIVERY = text(_DELIVERY + "WHERE delivery_id = :delivery_id")
