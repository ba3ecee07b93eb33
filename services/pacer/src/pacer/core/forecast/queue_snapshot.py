"""Queue snapshot: the state of a profile from which a forecast starts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pacer.core.forecast.plan import QueueLoad
from pacer.core.policy import HeldDelivery, Rules

RECIPIENTS_MAX = 1_000  # a message share has at most this many recipients, which it uses in turn


@dataclass(frozen=True, slots=True)
class QueuePart:
    """Held deliveries with the same rank, contact class and release time."""

    count: int
    rank: int
    cold: bool
    not_before: datetime


@dataclass(frozen=True, slots=True)
class QueueSnapshot:
    """The state of a profile from which a forecast starts.

    If the deliveries of a message are given (`added`, `gone`), the forecast is for that message. Otherwise it is for
    the whole queue.
    """

    profile_id: str
    rules: Rules
    releases: Sequence[datetime]
    """The profile's newest releases. They reach back one day and the longest possible slack."""
    contacts: Sequence[datetime]
    """The releases of the last 30 days to cold contacts that have not answered."""
    ahead: Sequence[QueuePart]
    added: Sequence[HeldDelivery] = ()
    """The message's held deliveries. They are released after those in `ahead`."""
    gone: int = 0
    """The number of the message's deliveries that are not held any more. They count as released when the forecast
    begins."""
    position: float = 0.5
    """The position of the next gap in its range, as in `Facts`."""

    @property
    def of_message(self) -> bool:
        return bool(self.added or self.gone)

    @property
    def load(self) -> QueueLoad:
        waiting = sum(part.count for part in self.ahead) + len(self.added)
        deliveries = len(self.added) + self.gone if self.of_message else waiting
        return QueueLoad(self.profile_id, waiting, deliveries, self.gone, self.rules.limits.per_day, self.rules.stopped)

    @property
    def cold(self) -> int:
        """The waiting deliveries to cold contacts."""
        return sum(part.count for part in self.ahead if part.cold) + len(self.added)

    @property
    def is_endless(self) -> bool:
        """Whether a limit of 0 holds a delivery for ever."""
        limits = self.rules.limits
        return bool(self.cold) and 0 in (limits.new_contacts_per_day, limits.unanswered_per_30_days)

    def last_scheduled(self, now: datetime) -> datetime:
        """The latest `not_before` of the message's deliveries. If two deliveries use the same recipient, the later one
        never has the earlier `not_before`. So it is enough to look at the last deliveries, which use all recipients."""
        return max((delivery.not_before for delivery in self.added[-RECIPIENTS_MAX:]), default=now)
