"""Dialect: how one kind of gateway speaks to its webhook, and how often it tries.

A body is made once and is the same at every attempt; so are the headers, as with the real gateways.
"""

from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any, Literal, Protocol

from simulator.accounts import Account
from simulator.core.customers import Receipt
from simulator.core.reports import Report
from simulator.mailbox import Letter
from spreader.contract.content import Content

Json = dict[str, Any]
Event = Literal["receipt", "message", "report"]
"""What a call of a webhook is about; `message`: a customer's, which is kept on disk until it is taken."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that the gateway took."""

    message_id: str
    delivery_id: str | None
    """None where the wire carries none."""
    recipient: str
    content: Content
    at: datetime


@dataclass(frozen=True, slots=True)
class Retries:
    """How a gateway calls again: real seconds, each delay `factor` times the last; None attempts: for ever."""

    first_seconds: float
    factor: float
    seconds_max: float
    jitter: float
    attempts_max: int | None
    final: frozenset[int] = frozenset()
    """HTTP statuses after which it does not."""

    def seconds(self, attempt: int, draw: Random) -> float:
        """The wait after so many attempts."""
        plain = min(self.first_seconds * self.factor ** min(attempt - 1, 20), self.seconds_max)
        return plain * (1 + draw.uniform(-self.jitter, self.jitter))

    def ends_with(self, attempt: int, status: int | None) -> bool:
        """Whether the gateway gives up after this attempt; `status` None: there was no answer."""
        return status in self.final or (self.attempts_max is not None and attempt >= self.attempts_max)


class Dialect(Protocol):
    def message_id(self, now: datetime) -> str:
        """A fresh name for a message, as the gateway makes them."""
        ...

    def receipt(self, account: Account, sent: Sent, receipt: Receipt) -> tuple[Json, ...]:
        """The calls that tell of it; none where the gateway does not."""
        ...

    def echo(self, account: Account, sent: Sent) -> tuple[Json, ...]:
        """The calls that tell the webhook of our own send."""
        ...

    def message(self, account: Account, letter: Letter) -> Json:
        """The call that brings what a customer wrote."""
        ...

    def report(self, account: Account, report: Report, now: datetime) -> tuple[Json, ...]:
        """The calls that tell how the account stands; none where the gateway keeps silent."""
        ...

    def headers(self, account: Account, body: bytes, wall: datetime) -> dict[str, str]: ...

    def retries(self, event: Event) -> Retries: ...
