"""Own dialect: unsigned webhook calls of the simulator's own protocol. Customers' messages are retried for ever."""

from datetime import datetime

from simulator.accounts import GatewayAccount
from simulator.core.customers import SimulatedReceipt
from simulator.core.reports import Report
from simulator.customer_messages import PendingMessage
from simulator.dialects.dialect import CallKind, Json, RetrySchedule, SentMessage
from simulator.schemas import rfc3339
from spreader.contract.ids import new_id

# A receipt is retried for about a quarter of an hour. The last delays are long, because tens of thousands of receipts
# may wait for an ingress that is down.
RECEIPT_RETRIES = RetrySchedule(0.075, 2, 22.5, jitter=1 / 3, attempts_max=40)
MESSAGE_RETRIES = RetrySchedule(0.075, 2, 3.75, jitter=1 / 3, attempts_max=None)


class OwnDialect:
    def message_id(self, now: datetime) -> str:
        return new_id("wamid", now)

    def receipt(self, account: GatewayAccount, sent: SentMessage, receipt: SimulatedReceipt) -> tuple[Json, ...]:
        if receipt.status == "sent":
            return ()
        body = {
            "event": "receipt",
            "delivery_id": sent.delivery_id,
            "message_id": sent.message_id,
            "to": sent.recipient,
            "status": receipt.status,
            "at": rfc3339(receipt.at),
        }
        return (body if receipt.code is None else {**body, "reason": receipt.code},)

    def echo(self, account: GatewayAccount, sent: SentMessage) -> tuple[Json, ...]:
        return ()

    def message(self, account: GatewayAccount, customer_message: PendingMessage) -> Json:
        return {
            "event": "message",
            "message_id": customer_message.message_id,
            "from": customer_message.phone,
            "type": "text",
            "text": customer_message.text,
            "at": customer_message.at,
        }

    def report(self, account: GatewayAccount, report: Report, now: datetime) -> tuple[Json, ...]:
        return ()

    def headers(self, account: GatewayAccount, body: bytes, wall: datetime) -> dict[str, str]:
        return {}

    def retries(self, event: CallKind) -> RetrySchedule:
        return MESSAGE_RETRIES if event == "message" else RECEIPT_RETRIES
