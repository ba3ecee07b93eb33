"""Dialect: the webhook calls of one kind of gateway, and how it retries them.

The body and the headers of a call are made only once. Retries repeat them unchanged, as the real gateways do.
"""

from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any, Literal, Protocol

from simulator.accounts import GatewayAccount
from simulator.core.customers import SimulatedReceipt
from simulator.core.reports import Report
from simulator.customer_messages import PendingMessage
from spreader.contract.content import Content

Json = dict[str, Any]
CallKind = Literal["receipt", "message", "report"]
"""What a webhook call reports. A `message` is a customer's message. It is stored until the webhook accepts it."""


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message that the gateway accepted."""

    message_id: str
    delivery_id: str | None
    """None if the gateway's API has no field for it."""
    recipient: str
    content: Content
    at: datetime


@dataclass(frozen=True, slots=True)
class RetrySchedule:
    """The delays between attempts, in wall time. Each is `factor` times the one before, up to `seconds_max`.

    If `attempts_max` is None, the gateway never stops retrying.
    """

    first_seconds: float
    factor: float
    seconds_max: float
    jitter: float
    attempts_max: int | None
    final: frozenset[int] = frozenset()
    """HTTP statuses after which the gateway does not retry."""

    def seconds(self, attempt: int, draw: Random) -> float:
        """The delay after attempt number `attempt`."""
        plain = min(self.first_seconds * self.factor ** min(attempt - 1, 20), self.seconds_max)
        return plain * (1 + draw.uniform(-self.jitter, self.jitter))

    def ends_with(self, attempt: int, status: int | None) -> bool:
        """Whether the gateway gives up after this attempt. `status` is None if there was no response."""
        return status in self.final or (self.attempts_max is not None and attempt >= self.attempts_max)


class Dialect(Protocol):
    def message_id(self, now: datetime) -> str:
        """A new message id in the gateway's format."""
        ...

    def receipt(self, account: GatewayAccount, sent: SentMessage, receipt: SimulatedReceipt) -> tuple[Json, ...]:
        """The calls that report the receipt. Empty if the gateway does not report such a receipt."""
        ...

    def echo(self, account: GatewayAccount, sent: SentMessage) -> tuple[Json, ...]:
        """The calls that report the send itself."""
        ...

    def message(self, account: GatewayAccount, customer_message: PendingMessage) -> Json:
        """The call with a customer's message."""
        ...

    def report(self, account: GatewayAccount, report: Report, now: datetime) -> tuple[Json, ...]:
        """The calls that report the account's event. Empty if the gateway does not report such an event."""
        ...

    def headers(self, account: GatewayAccount, body: bytes, wall: datetime) -> dict[str, str]: ...

    def retries(self, event: CallKind) -> RetrySchedule: ...
