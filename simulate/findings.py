"""Findings: each promise about the pace, and whether every profile keeps it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from simulate.gaps import CALM, EVEN, RUSH
from simulate.study import FEW, GapStudy, Study

VARIATION = (0.2, 0.6)
AUTOCORRELATION = (-0.1, 0.1)
QUARTER = 0.25
QUEUES = ((RUSH, "over"), (EVEN, "exactly"), (CALM, "under"))
TOLERANCE = 0.1
"""How far a measured factor of the mean gap may be off. The measured factor cannot be exact, because it is the mean of
random draws. Also, the policy looks at a waiting profile only every five minutes."""

Measure = Callable[[Study], float | None]
"""Returns the value of one profile. None: the profile has too few data to be judged."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One promise: its bounds and the values of the profiles. `least` and `most` are the smallest and the largest value
    of any profile."""

    promise: str
    low: float
    high: float
    profiles: int
    outside: int
    least: float
    median: float
    most: float

    @property
    def holds(self) -> bool:
        return self.profiles > 0 and not self.outside


def judge(studies: Sequence[Study]) -> list[Finding]:
    """The findings, each in the words of its requirement. `simulate.study` and `simulate.gaps` define the measures."""
    windows = sorted({name for study in studies for name in study.breaches})
    return [
        *(_finding(f"zero breaches: {name}", (0, 0), studies, _breaches(name)) for name in windows),
        _finding("zero releases in a rest window", (0, 0), studies, lambda study: study.in_rest),
        _finding("coefficient of variation, over 10 wait", VARIATION, studies, _variation(RUSH)),
        _finding("coefficient of variation, exactly 10 wait", VARIATION, studies, _variation(EVEN)),
        _finding("coefficient of variation, under 10 wait", VARIATION, studies, _variation(CALM)),
        *_correlation("lag-1 autocorrelation", studies, lambda gaps: gaps.autocorrelation),
        *_together("the same with waits for limits, all profiles together", studies),
        *_correlation("the same with waits for limits", studies, lambda gaps: gaps.with_limits),
        _finding("a queue over 10 doubles the mean (factor)", _around(2), studies, _pressure(RUSH)),
        _finding("a queue of exactly 10 leaves the mean (factor)", _around(1), studies, _pressure(EVEN)),
        _finding("a queue under 10 halves the mean (factor)", _around(0.5), studies, _pressure(CALM)),
        _finding("two slow hours shorten the gap (factor)", (0, 1), studies, lambda study: study.tempo.get("slow")),
        _finding("two fast hours lengthen the gap (factor)", (1, 9), studies, lambda study: study.tempo.get("fast")),
        _finding("fullest hour after an idle night (share)", (0, QUARTER), studies, lambda study: study.fullest_hour),
    ]


def _finding(promise: str, bounds: tuple[float, float], studies: Sequence[Study], measure: Measure) -> Finding:
    low, high = bounds
    shown = [value for study in studies if (value := measure(study)) is not None]
    outside = sum(not low <= value <= high for value in shown)
    if not shown:
        return Finding(promise, low, high, 0, 0, 0, 0, 0)
    return Finding(promise, low, high, len(shown), outside, min(shown), median(shown), max(shown))


def _around(factor: float) -> tuple[float, float]:
    return factor * (1 - TOLERANCE), factor * (1 + TOLERANCE)


def _breaches(window: str) -> Measure:
    return lambda study: study.breaches[window]


def _variation(queue: str) -> Measure:
    return lambda study: gaps.variation if (gaps := study.gaps.get(queue)) and gaps.count >= FEW else None


def _correlation(promise: str, studies: Sequence[Study], measure: Callable[[GapStudy], float | None]) -> list[Finding]:
    def of(queue: str) -> Measure:
        return lambda study: measure(gaps) if (gaps := study.gaps.get(queue)) and gaps.count >= FEW else None

    return [_finding(f"{promise}, {name} 10 wait", AUTOCORRELATION, studies, of(queue)) for queue, name in QUEUES]


def _together(promise: str, studies: Sequence[Study]) -> list[Finding]:
    """The autocorrelation of all profiles together. It is the sum of the profiles' covariances divided by the sum of
    their variances. Each of these is computed around the profile's own mean."""

    def of(queue: str) -> Measure:
        gaps = [gaps for study in studies if (gaps := study.gaps.get(queue))]
        squares = [gaps.count * (gaps.variation * gaps.mean_seconds) ** 2 for gaps in gaps]
        covariance = sum(square * gaps.with_limits for square, gaps in zip(squares, gaps, strict=True))
        shown = covariance / sum(squares) if sum(squares) else None
        return lambda study: shown if queue in study.gaps else None

    return [_finding(f"{promise}, {name} 10 wait", AUTOCORRELATION, studies, of(queue)) for queue, name in QUEUES]


def _pressure(queue: str) -> Measure:
    return lambda study: gaps.pressure if (gaps := study.gaps.get(queue)) else None
