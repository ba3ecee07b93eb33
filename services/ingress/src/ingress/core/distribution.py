"""Distribution: how many deliveries of a message each profile got, summed over the records of the message."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from spreader.contract.events import MessageRouted


@dataclass(frozen=True, slots=True)
class Routed:
    distribution: dict[str, int]
    rejected: int = 0
    suppressed: int = 0
    reasons: tuple[str, ...] = field(default=())


def summed(answers: Iterable[MessageRouted]) -> Routed:
    total: Counter[str] = Counter()
    rejected, suppressed, reasons = 0, 0, dict[str, None]()
    for answer in answers:
        total.update(answer.distribution)
        rejected += answer.rejected
        suppressed += answer.suppressed
        if answer.reason is not None:
            reasons[answer.reason] = None
    return Routed(dict(total), rejected, suppressed, tuple(reasons))
