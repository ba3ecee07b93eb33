"""Figure: one measurement in several rounds. Each round measures our system and the barest program that does the
same."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

Better = Literal["more", "less"]


class Pair(NamedTuple):
    ours: float
    bare: float

    @property
    def ratio(self) -> float:
        return self.ours / self.bare


@dataclass(frozen=True, slots=True)
class Figure:
    """The result is the median of the rounds' ratios. A disturbance of the machine hardly changes this median. Either
    it affects both measurements of a round alike, or it affects only one round."""

    what: str
    beside: str
    unit: str
    better: Better
    rounds: tuple[Pair, ...]
    note: str = ""

    @property
    def ours(self) -> float:
        return statistics.median(pair.ours for pair in self.rounds)

    @property
    def bare(self) -> float:
        return statistics.median(pair.bare for pair in self.rounds)

    @property
    def ratio(self) -> float:
        return statistics.median(pair.ratio for pair in self.rounds)


def p99(values: Sequence[float]) -> float:
    """The smallest value that 99 % of the values do not exceed."""
    return sorted(values)[-(-99 * len(values) // 100) - 1]
