"""Recent: the last sendings of a profile, and what they show that sums cannot."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile

from spreader.contract.events import Lane

RECEIPT_TAKES = timedelta(hours=1)
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Sent:
    """A delivery that the gateway took."""

    lane: Lane
    at: datetime
    heard_for: timedelta
    """How long ago we heard of it, by the machine's time."""
    waits: bool
    """Neither WhatsApp's server nor a failure was heard of it."""
    delivered: bool = False
    failed: bool = False
    is_new: bool = False
    """It went to a new contact."""
    receives: bool = False
    """Its recipient had been delivered to before."""
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class Recent:
    """The newest first."""

    sent: Sequence[Sent] = ()

    @property
    def open_sent_at(self) -> tuple[datetime, ...]:
        return tuple(each.at for each in self.sent if each.lane == "open")

    @property
    def fingerprints(self) -> tuple[str, ...]:
        return tuple(each.fingerprint for each in self.sent if each.lane == "open" and each.fingerprint is not None)

    def misses_in_a_row(self, now: datetime) -> int:
        """Since the last that was delivered, among open messages older than an hour to people who used to get them."""
        due = (each for each in self.sent if each.lane == "open" and each.receives and each.at <= now - RECEIPT_TAKES)
        return sum(1 for _ in takewhile(lambda each: not each.delivered, due))

    def of_hour(self, now: datetime, is_new: bool) -> tuple[int, int]:
        """Failed and delivered of the last hour, to new contacts or to others."""
        some = [each for each in self.sent if each.at > now - HOUR and each.is_new is is_new]
        return sum(each.failed for each in some), sum(each.delivered for each in some)

    def unheard(self, stuck_after: timedelta) -> int:
        """Of those old enough: how many of the newest in a row wait for any word of WhatsApp's."""
        due = (each for each in self.sent if each.heard_for >= stuck_after)
        return sum(1 for _ in takewhile(lambda each: each.waits, due))

    def old_enough(self, stuck_after: timedelta) -> int:
        """Of the last hour: those that WhatsApp should have by now."""
        return sum(stuck_after <= each.heard_for < HOUR for each in self.sent)
