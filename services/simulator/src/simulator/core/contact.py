"""Contact: what WhatsApp remembers about an account and one customer."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from simulator.core.rate_bucket import RateBucket

TRUST = timedelta(days=28)
"""For this long after a customer's message, the customer is not a cold contact of the account."""
WINDOW = timedelta(hours=24)
"""The customer's window: for this long after a customer's message, the Cloud API allows free text."""
WROTE_MAX = 8


@dataclass(frozen=True, slots=True)
class CustomerContact:
    wrote: tuple[datetime, ...] = ()
    """The last times at which the customer wrote. A time in the future belongs to a reply that is scheduled."""
    opened_at: datetime | None = None
    """The time of the account's first message to the customer after the customer last wrote."""
    sends: int = 0
    blocked_at: datetime | None = None
    pair: RateBucket = field(default_factory=RateBucket)

    def is_trusted(self, now: datetime) -> bool:
        return self._wrote_within(TRUST, now)

    def is_window_open(self, now: datetime) -> bool:
        return self._wrote_within(WINDOW, now)

    def is_unanswered(self, since: datetime, now: datetime) -> bool:
        """Whether the account wrote first, at or after `since`, and the customer has not replied."""
        opened_at = self.opened_at
        return opened_at is not None and opened_at >= since and not any(opened_at <= at <= now for at in self.wrote)

    def customer_wrote(self, at: datetime) -> "CustomerContact":
        return replace(self, wrote=(*self.wrote, at)[-WROTE_MAX:])

    def message_sent(self, now: datetime) -> "CustomerContact":
        waiting = self.opened_at is not None and not any(self.opened_at <= at <= now for at in self.wrote)
        return replace(self, opened_at=self.opened_at if waiting else now, sends=self.sends + 1)

    def _wrote_within(self, span: timedelta, now: datetime) -> bool:
        return any(at <= now < at + span for at in self.wrote)
