"""Open message: sums up how the router has handled a message. A message with many recipients has several records, and
the router reports on each record."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from spreader.contract.events import MessageRouted


def without_repeats(recipients: Sequence[str]) -> tuple[str, ...]:
    """Each number once, in the order of first appearance."""
    return tuple(dict.fromkeys(recipients))


@dataclass(frozen=True, slots=True)
class RoutingSummary:
    distribution: dict[str, int]
    """How many deliveries each profile gets."""
    rejected: int = 0
    suppressed: int = 0
    reasons: tuple[str, ...] = field(default=())
    """The different reasons why deliveries were rejected."""
    waiting: int = 0
    """How many deliveries wait, because no profile can send now."""
    waiting_reasons: tuple[str, ...] = field(default=())


@dataclass
class RoutingTally:
    """Adds up the router's reports on the records of one message."""

    _distribution: Counter[str] = field(default_factory=Counter[str])
    _rejected: int = 0
    _suppressed: int = 0
    _waiting: int = 0
    _reasons: dict[str, None] = field(default_factory=dict[str, None])
    _waiting_reasons: dict[str, None] = field(default_factory=dict[str, None])

    def add(self, result: MessageRouted) -> None:
        self._distribution.update(result.distribution)
        self._rejected += result.rejected
        self._suppressed += result.suppressed
        self._waiting += result.waiting
        if result.reason is not None:
            (self._waiting_reasons if result.waiting else self._reasons)[result.reason] = None

    @property
    def summary(self) -> RoutingSummary:
        return RoutingSummary(
            *(dict(self._distribution), self._rejected, self._suppressed, tuple(self._reasons)),
            *(self._waiting, tuple(self._waiting_reasons)),
        )
