"""Lock: the time in which WhatsApp lets an account open no chats; longer each time, and longer for who tries on."""

from dataclasses import dataclass
from datetime import datetime, timedelta

STEPS = (timedelta(seconds=60), timedelta(hours=24), timedelta(days=7))


@dataclass(frozen=True, slots=True)
class Lock:
    until: datetime | None = None
    locks: int = 0
    """How many there were, this one too."""

    def holds(self, now: datetime) -> bool:
        return self.until is not None and now < self.until

    def struck(self, now: datetime) -> "Lock":
        """A chat was tried: a lock that holds begins anew, else the next longer one begins."""
        locks = max(self.locks, 1) if self.holds(now) else self.locks + 1
        until = now + STEPS[min(locks, len(STEPS)) - 1]
        return Lock(max(until, self.until or until), locks)
