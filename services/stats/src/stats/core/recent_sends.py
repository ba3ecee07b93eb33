"""Recent sends: the last messages of a profile one by one, for the patterns that sums do not show."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import NamedTuple

from spreader.contract.events import Lane

RECEIPT_TAKES = timedelta(hours=1)
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class RecentSend:
    """A message that the gateway accepted."""

    lane: Lane
    at: datetime
    age: timedelta
    """How long ago stats learned of the message, in wall time."""
    waits: bool
    """Whether it has neither an acknowledgement nor a failure."""
    delivered: bool = False
    failed: bool = False
    is_new: bool = False
    """Whether its recipient was a new contact."""
    receives: bool = False
    """Whether an earlier message was delivered to its recipient."""
    fingerprint: str | None = None


class HourResults(NamedTuple):
    failed: int
    delivered: int


@dataclass(frozen=True, slots=True)
class RecentSends:
    """The last messages of a profile, the newest first."""

    sent: Sequence[RecentSend] = ()

    @property
    def open_sent_at(self) -> tuple[datetime, ...]:
        return tuple(send.at for send in self.sent if send.lane == "open")

    @property
    def fingerprints(self) -> tuple[str, ...]:
        return tuple(send.fingerprint for send in self.sent if send.lane == "open" and send.fingerprint is not None)

    def misses_in_a_row(self, now: datetime) -> int:
        """How many of the newest open messages in a row were not delivered (see `Evidence.misses_in_a_row`)."""
        due = (send for send in self.sent if send.lane == "open" and send.receives and send.at <= now - RECEIPT_TAKES)
        return sum(1 for _ in takewhile(lambda send: not send.delivered, due))

    def of_hour(self, now: datetime, is_new: bool) -> HourResults:
        """The results of the last hour's messages. If `is_new`, only messages to new contacts count, and otherwise only
        messages to other contacts."""
        sends = [send for send in self.sent if send.at > now - HOUR and send.is_new is is_new]
        return HourResults(sum(send.failed for send in sends), sum(send.delivered for send in sends))

    def unacknowledged_in_a_row(self, stuck_after: timedelta) -> int:
        """How many of the newest messages in a row still wait. Only messages older than `stuck_after` count."""
        due = (send for send in self.sent if send.age >= stuck_after)
        return sum(1 for _ in takewhile(lambda send: send.waits, due))

    def old_enough(self, stuck_after: timedelta) -> int:
        """How many messages of the last hour WhatsApp should have acknowledged by now."""
        return sum(stuck_after <= send.age < HOUR for send in self.sent)
