"""Statements: the deliveries that receipts concern, and the receipts that wait until their delivery is known.

Ages are compared with `now()`, because it is constant within a statement and allows the use of an index.
`clock_timestamp()` is not constant.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import text

from ingress.core.receipts import MatchedDelivery
from ingress.core.reports import ReceiptStatus
from spreader.contract.events import FailureClass
from spreader.erasure.sql_condition import is_erased
from spreader.phone.sql_spellings import SPELLINGS
from spreader.runtime.rows import columns, unnest
from spreader.text.clean_text import CleanText


@dataclass(frozen=True, slots=True)
class ReceiptKeys:
    """The ids by which the delivery of a receipt is found. `position`: the receipt's position in its batch."""

    position: int
    delivery_id: str | None
    profile_id: str
    gateway_message_id: str


@dataclass(frozen=True, slots=True)
class ReceiptMatch(MatchedDelivery):
    """The delivery of the receipt at `position`."""

    position: int


@dataclass(frozen=True, slots=True)
class WaitingReceipt:
    """A receipt or an echo whose delivery is not known yet. An echo has the status `sent` and a recipient."""

    profile_id: str
    gateway_message_id: str
    status: str
    package_id: str
    delivery_id: str | None
    recipient: str | None
    at: datetime
    failure: str | None
    code: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class WaitingReceiptKey:
    profile_id: str
    gateway_message_id: str
    status: str
    code: str | None


@dataclass(frozen=True, slots=True)
class WaitingMatch(MatchedDelivery):
    """A waiting receipt with its delivery. The fields from `receipt_package_id` on belong to the receipt. The receipt's
    texts are clean, because they were cleaned before they were stored."""

    receipt_package_id: str
    receipt_profile_id: str
    gateway_message_id: CleanText
    status: ReceiptStatus | Literal["sent"]
    """`sent` means that the receipt is an echo."""
    at: datetime
    failure: FailureClass | None
    code: CleanText | None
    reason: CleanText | None


_TRACE = "(SELECT traceparent FROM ingress.message WHERE message.message_id = {of}.message_id) AS traceparent"
_DELIVERY = f"""
delivery_id, message_id, package_id, lane, recipient, profile_id, attempt, sent_at,
{_TRACE.format(of="delivery")}"""
_MATCH = f"""
LATERAL (
    SELECT {_DELIVERY} FROM ingress.delivery WHERE delivery_id = receipt.delivery_id
    UNION ALL
    SELECT {_DELIVERY} FROM ingress.delivery
    WHERE receipt.delivery_id IS NULL AND profile_id = receipt.profile_id
      AND gateway_message_id = receipt.gateway_message_id
    LIMIT 1
) AS matched"""
"""Finds the delivery of a receipt. If the receipt contains our delivery id, the statement searches for this id.
Otherwise it searches for the gateway message id."""

MATCH = text(f"""
SELECT matched.*, receipt.position FROM {unnest(ReceiptKeys, "receipt")} CROSS JOIN {_MATCH}""")

KEEP = text(f"""
INSERT INTO ingress.receipt_waiting ({columns(WaitingReceipt)})
SELECT {columns(WaitingReceipt)} FROM {unnest(WaitingReceipt, "receipt")}
WHERE receipt.recipient IS NULL OR NOT {is_erased("ingress", "receipt.recipient", "receipt.at")}
ORDER BY profile_id, gateway_message_id, status, code
ON CONFLICT DO NOTHING""")
"""The rows are inserted in a fixed order. Otherwise two calls with the same receipts could deadlock, and gateways do
repeat calls. An echo is left out if its recipient was erased after the time of the echo."""

IS_ANY_WAITING = text("SELECT EXISTS (SELECT FROM ingress.receipt_waiting)")
"""Whether any receipt is waiting. Usually none is, and then no further statement is needed."""

_WAITING = """
receipt.package_id AS receipt_package_id, receipt.profile_id AS receipt_profile_id, receipt.gateway_message_id,
receipt.status, receipt.at, receipt.failure, receipt.code, receipt.reason"""
_MATCH_WAITING = f"""
SELECT matched.*, {_WAITING} FROM ingress.receipt_waiting AS receipt CROSS JOIN {_MATCH}"""

MATCH_DELIVERIES = text(f"""{_MATCH_WAITING}
WHERE (receipt.profile_id, receipt.gateway_message_id) IN (
    SELECT waiting.profile_id, waiting.gateway_message_id FROM ingress.receipt_waiting AS waiting
    WHERE waiting.delivery_id = ANY(CAST(:delivery_ids AS text[]))
    UNION
    SELECT delivery.profile_id, delivery.gateway_message_id FROM ingress.delivery
    WHERE delivery.delivery_id = ANY(CAST(:delivery_ids AS text[])) AND delivery.gateway_message_id IS NOT NULL)
ORDER BY receipt.profile_id, receipt.gateway_message_id, receipt.status, receipt.code
LIMIT :limit FOR UPDATE OF receipt SKIP LOCKED""")
"""The receipts that wait for any of these deliveries."""
MATCH_BY_AGE = text(f"""{_MATCH_WAITING}
WHERE receipt.kept_at BETWEEN now() - CAST(:oldest AS interval) AND now() - interval '2 seconds'
ORDER BY receipt.profile_id, receipt.gateway_message_id, receipt.status, receipt.code
LIMIT :limit FOR UPDATE OF receipt SKIP LOCKED""")
"""The receipts that have waited for at least 2 seconds and at most `oldest`, and whose delivery is now known."""

DROP = text(f"""
DELETE FROM ingress.receipt_waiting USING {unnest(WaitingReceiptKey, "gone")}
WHERE receipt_waiting.profile_id = gone.profile_id AND receipt_waiting.status = gone.status
  AND receipt_waiting.gateway_message_id = gone.gateway_message_id
  AND receipt_waiting.code IS NOT DISTINCT FROM gone.code""")

_RECIPIENTS = SPELLINGS.format("receipt.recipient")
"""The gateway may report the number in another spelling than the caller gave."""
_NEAR = "BETWEEN {at} - interval '1 hour' AND {at} + interval '1 hour'"
MATCH_ECHOES = text(f"""
SELECT doubtful.delivery_id, doubtful.message_id, doubtful.package_id, doubtful.lane, doubtful.recipient,
       doubtful.profile_id, doubtful.attempt, doubtful.sent_at, {_TRACE.format(of="doubtful")}, {_WAITING}
FROM ingress.receipt_waiting AS receipt JOIN ingress.delivery AS doubtful
  ON doubtful.profile_id = receipt.profile_id AND doubtful.recipient = ANY ({_RECIPIENTS})
 AND doubtful.gateway_message_id IS NULL
 AND (doubtful.status = 'unknown' OR doubtful.lane = 'reply' AND doubtful.stage = 0)
 AND receipt.at {_NEAR.format(at="doubtful.at")}
WHERE receipt.recipient IS NOT NULL AND receipt.kept_at > now() - CAST(:oldest AS interval)
  AND receipt.kept_at
      < now() - CASE doubtful.lane WHEN 'reply' THEN interval '2 seconds' ELSE interval '5 seconds' END
  AND 1 = (SELECT count(*) FROM ingress.receipt_waiting AS other
           WHERE other.profile_id = receipt.profile_id AND other.recipient = ANY ({_RECIPIENTS})
             AND other.at {_NEAR.format(at="doubtful.at")})
  AND 1 = (SELECT count(*) FROM ingress.delivery AS other
           WHERE other.profile_id = receipt.profile_id AND other.recipient = ANY ({_RECIPIENTS})
             AND other.gateway_message_id IS NULL
             AND (other.status IN ('unknown', 'released') OR other.lane = 'reply' AND other.stage = 0)
             AND receipt.at {_NEAR.format(at="other.at")})
LIMIT :limit FOR UPDATE OF receipt SKIP LOCKED""")
"""Pairs of an echo and a delivery in doubt. A pair counts only if the echo fits no other delivery, and the delivery
fits no other echo.

An echo is used only after some seconds, because the gateway's response usually follows and contains the gateway message
id. Then the echo is not needed. For a reply the wait is shorter, because the sender retries a reply 5 s after a call
without a response.
"""

DELETE_OLD = text("""
DELETE FROM ingress.receipt_waiting WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM ingress.receipt_waiting
    WHERE kept_at < now() - interval '1 day'
       OR kept_at < (SELECT kept_at FROM ingress.receipt_waiting ORDER BY kept_at DESC
                        OFFSET CAST(:kept_max AS bigint) - 1 LIMIT 1)
    ORDER BY kept_at LIMIT CAST(:limit AS int)))""")
"""Deletes receipts that have waited for a day. If more than `kept_max` are waiting, also deletes the oldest."""
