"""Account state: what WhatsApp remembers about an account, such as its session, chat lock, quality and contacts."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import assert_never

from simulator.core.contact import CustomerContact
from simulator.core.rate_bucket import RateBucket
from simulator.core.reports import (
    AccountDisabled,
    OptedOut,
    QualityRated,
    QualityRating,
    QuotaCounted,
    QuotaWarning,
    Report,
    SessionChanged,
    SessionStatus,
    Silenced,
    TemporarilyBanned,
    TimeLocked,
)

DAY = timedelta(days=1)
LOCK_STEPS = (timedelta(seconds=60), timedelta(hours=24), timedelta(days=7))


@dataclass(frozen=True, slots=True)
class ChatLock:
    """A lock that forbids an account to open chats until a time. Each new lock is longer than the one before."""

    until: datetime | None = None
    locks: int = 0
    """The number of locks so far, including this one."""
    enforcement: str = "DEFAULT"
    """WhatsApp's reason for the lock."""

    def is_active(self, now: datetime) -> bool:
        return self.until is not None and now < self.until

    def after_attempt(self, now: datetime) -> "ChatLock":
        """The lock after an attempt to open a chat.

        An active lock starts again with the same length. If no lock is active, the next longer one starts.
        """
        locks = max(self.locks, 1) if self.is_active(now) else self.locks + 1
        until = now + LOCK_STEPS[min(locks, len(LOCK_STEPS)) - 1]
        return ChatLock(max(until, self.until or until), locks, self.enforcement)


@dataclass(frozen=True, slots=True)
class AccountState:
    since: datetime
    """When the simulator first saw the account."""
    connection: SessionStatus = "working"
    banned_until: datetime | None = None
    disabled: bool = False
    lock: ChatLock = field(default_factory=ChatLock)
    silenced_until: datetime | None = None
    rating: QualityRating | None = None
    """The rating that a tester set. None if the rating follows from the number of blocks."""
    warning: QuotaWarning = "NONE"
    """The quota warning that was reported last."""
    contacts: Mapping[str, CustomerContact] = field(default_factory=dict[str, CustomerContact])
    cold: tuple[tuple[datetime, str], ...] = ()
    """The time and the content hash of each send to a cold contact in the last 24 hours."""
    throughput: RateBucket = field(default_factory=RateBucket)

    def session(self, now: datetime) -> SessionStatus:
        banned = self.banned_until is not None and now < self.banned_until
        return "failed" if banned or self.disabled else self.connection

    def contact(self, phone: str) -> CustomerContact:
        return self.contacts.get(phone, CustomerContact())

    def with_contact(self, phone: str, contact: CustomerContact) -> "AccountState":
        return replace(self, contacts={**self.contacts, phone: contact})

    def customer_wrote(self, phone: str, at: datetime) -> "AccountState":
        """The state after a customer writes at `at`, which is in the future if a reply is scheduled for later."""
        return self.with_contact(phone, self.contact(phone).customer_wrote(at))

    def with_cold_send(self, content: str, now: datetime) -> "AccountState":
        recent = ((at, known) for at, known in self.cold if at > now - DAY)
        return replace(self, cold=(*recent, (now, content)))

    def after(self, report: Report) -> "AccountState":
        """The state after the event that the report describes."""
        match report:
            case SessionChanged(status):
                return replace(self, connection=status, banned_until=None)
            case TimeLocked(until, enforcement):
                return replace(self, lock=replace(self.lock, until=until, enforcement=enforcement))
            case Silenced(until):
                return replace(self, silenced_until=until, lock=replace(self.lock, until=until))
            case TemporarilyBanned(_, until):
                return replace(self, banned_until=until)
            case QualityRated(rating):
                return replace(self, rating=rating)
            case AccountDisabled(reinstated):
                return replace(self, disabled=not reinstated)
            case QuotaCounted(warning=warning):
                return replace(self, warning=warning)
            case OptedOut():
                return self
            case _:
                assert_never(report)
