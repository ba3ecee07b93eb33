"""Open message: splits its recipients into several records, and sums up the routing results of these records."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from spreader.contract.events import MessageRouted


def without_repeats(recipients: Sequence[str]) -> tuple[str, ...]:
    """Each recipient once, in the order of first appearance."""
    return tuple(dict.fromkeys(recipients))


def split_recipients(recipients: Sequence[str], size: int) -> list[tuple[int, tuple[str, ...]]]:
    """Parts of at most `size` recipients, each with the index of its first recipient."""
    return [(start, tuple(recipients[start : start + size])) for start in range(0, len(recipients), size)]


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


def sum_routing(results: Iterable[MessageRouted]) -> RoutingSummary:
    distribution: Counter[str] = Counter()
    rejected, suppressed, waiting = 0, 0, 0
    reasons, waiting_reasons = dict[str, None](), dict[str, None]()
    for result in results:
        distribution.update(result.distribution)
        rejected += result.rejected
        suppressed += result.suppressed
        waiting += result.waiting
        if result.reason is not None:
            (waiting_reasons if result.waiting else reasons)[result.reason] = None
    return RoutingSummary(dict(distribution), rejected, suppressed, tuple(reasons), waiting, tuple(waiting_reasons))
