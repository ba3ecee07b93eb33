"""Own: the simulator's own wire, unsigned, and patient: nothing that a customer wrote is given up."""

from datetime import datetime

from simulator.accounts import Account
from simulator.core.customers import Receipt
from simulator.core.reports import Report
from simulator.dialects.dialect import Event, Json, Retries, Sent
from simulator.mailbox import Letter
from simulator.wire import rfc3339
from spreader.contract.ids import new_id

# Long waits at the end: ten thousands of receipts may wait for an ingress that is down. About a quarter of an hour.
RECEIPTS = Retries(0.075, 2, 22.5, jitter=1 / 3, attempts_max=40)
LETTERS = Retries(0.075, 2, 3.75, jitter=1 / 3, attempts_max=None)


class Own:
    def message_id(self, now: datetime) -> str:
        return new_id("wamid", now)

    def receipt(self, account: Account, sent: Sent, receipt: Receipt) -> tuple[Json, ...]:
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

    def echo(self, account: Account, sent: Sent) -> tuple[Json, ...]:
        return ()

    def message(self, account: Account, letter: Letter) -> Json:
        return {
            "event": "message",
            "message_id": letter.message_id,
            "from": letter.phone,
            "type": "text",
            "text": letter.text,
            "at": letter.at,
        }

    def report(self, account: Account, report: Report, now: datetime) -> tuple[Json, ...]:
        return ()

    def headers(self, account: Account, body: bytes, wall: datetime) -> dict[str, str]:
        return {}

    def retries(self, event: Event) -> Retries:
        return LETTERS if event == "message" else RECEIPTS
