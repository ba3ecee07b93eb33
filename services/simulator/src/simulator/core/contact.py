"""Contact: what WhatsApp remembers of an account and one customer."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from simulator.core.bucket import Bucket

TRUST = timedelta(days=28)
"""How long the token that a customer's message leaves behind opens the chat."""
WINDOW = timedelta(hours=24)
"""How long after it free text is allowed."""
WROTE_MAX = 8


@dataclass(frozen=True, slots=True)
class Contact:
    wrote: tuple[datetime, ...] = ()
    """When the customer wrote, the last few times; one may lie ahead: an answer that is drawn already."""
    opened_at: datetime | None = None
    """The first message to the customer since it last wrote."""
    sends: int = 0
    blocked_at: datetime | None = None
    pair: Bucket = field(default_factory=Bucket)

    def trusted(self, now: datetime) -> bool:
        return self._wrote_within(TRUST, now)

    def window_open(self, now: datetime) -> bool:
        return self._wrote_within(WINDOW, now)

    def unanswered(self, since: datetime, now: datetime) -> bool:
        """Whether it was opened since then and has not answered."""
        opened_at = self.opened_at
        return opened_at is not None and opened_at >= since and not any(opened_at <= at <= now for at in self.wrote)

    def heard(self, at: datetime) -> "Contact":
        return replace(self, wrote=(*self.wrote, at)[-WROTE_MAX:])

    def sent(self, now: datetime) -> "Contact":
        waiting = self.opened_at is not None and not any(self.opened_at <= at <= now for at in self.wrote)
        return replace(self, opened_at=self.opened_at if waiting else now, sends=self.sends + 1)

    def _wrote_within(self, span: timedelta, now: datetime) -> bool:
        return any(at <= now < at + span for at in self.wrote)
