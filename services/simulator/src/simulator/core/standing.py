"""Standing: how an account stands with WhatsApp: its connection, its lock, its quality, its contacts."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import assert_never

from simulator.core.bucket import Bucket
from simulator.core.contact import Contact
from simulator.core.lock import Lock
from simulator.core.reports import (
    Counted,
    Disabled,
    OptedOut,
    Rated,
    Rating,
    Report,
    SessionChanged,
    SessionStatus,
    Silenced,
    TemporarilyBanned,
    TimeLocked,
    Warning_,
)

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Standing:
    since: datetime
    """When the simulator first heard of the account."""
    connection: SessionStatus = "working"
    banned_until: datetime | None = None
    disabled: bool = False
    lock: Lock = field(default_factory=Lock)
    silenced_until: datetime | None = None
    rating: Rating | None = None
    """What a tester said; None: by the blocks."""
    warning: Warning_ = "NONE"
    """The last that was told."""
    contacts: Mapping[str, Contact] = field(default_factory=dict[str, Contact])
    cold: tuple[tuple[datetime, str], ...] = ()
    """The cold sends of the last day: when, and the content's hash."""
    throughput: Bucket = field(default_factory=Bucket)

    def session(self, now: datetime) -> SessionStatus:
        banned = self.banned_until is not None and now < self.banned_until
        return "failed" if banned or self.disabled else self.connection

    def contact(self, phone: str) -> Contact:
        return self.contacts.get(phone, Contact())

    def having(self, phone: str, contact: Contact) -> "Standing":
        return replace(self, contacts={**self.contacts, phone: contact})

    def heard(self, phone: str, at: datetime) -> "Standing":
        """A customer wrote (or will have written at that moment)."""
        return self.having(phone, self.contact(phone).heard(at))

    def opened(self, content: str, now: datetime) -> "Standing":
        """One more cold send."""
        return replace(self, cold=(*((at, each) for at, each in self.cold if at > now - DAY), (now, content)))

    def after(self, report: Report) -> "Standing":
        """As the report says."""
        match report:
            case SessionChanged(status):
                return replace(self, connection=status, banned_until=None)
            case TimeLocked(until):
                return replace(self, lock=replace(self.lock, until=until))
            case Silenced(until):
                return replace(self, silenced_until=until, lock=replace(self.lock, until=until))
            case TemporarilyBanned(_, until):
                return replace(self, banned_until=until)
            case Rated(rating):
                return replace(self, rating=rating)
            case Disabled(reinstated):
                return replace(self, disabled=not reinstated)
            case Counted(warning=warning):
                return replace(self, warning=warning)
            case OptedOut():
                return self
            case _:
                assert_never(report)
