"""Gaps: the times between successive releases of one profile, each with the state at its end."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean

from pacer.core.gap import TEMPO_SPAN
from simulate.year import Ledger
from spreader.contract.bounds import Bound
from spreader.contract.configuration import Gap as Settings

RUSH, EVEN, CALM = "over", "exactly", "under"
"""RUSH: more than `rush_over` (10) deliveries of the profile wait. EVEN: exactly `rush_over` deliveries wait. CALM:
fewer wait."""
PRESSURES = {Settings().rush_factor: RUSH, 1.0: EVEN, Settings().calm_factor: CALM}


@dataclass(frozen=True, slots=True)
class Gap:
    place: int
    """The number of the release that ends the gap. Gaps with successive numbers are adjacent."""
    seconds: float
    queue: str
    """The class of the queue: RUSH, EVEN or CALM. Only gaps with the same class at their begin and at their end are
    judged. The class was also the same in between, because a queue only grows between two releases."""
    base_seconds: float
    pressure: float
    tempo: float
    """The policy's tempo at the end of the gap."""
    mean_seconds: float
    """The mean of the range from which the gap was drawn, as computed at its end."""
    is_paced: bool
    """Whether the gap itself, and not a limit, was the last bound that held the release."""
    load: float
    """The number of releases in the two hours before the end of the gap, divided by the expected number. 0.5 is added
    to both numbers."""


def measure_gaps(ledger: Ledger) -> Iterator[Gap]:
    """The gaps that can be judged. Such a gap contains no rest, and its class of queue stays the same. Deliveries wait
    at its begin."""
    hours, limits, rush_over = ledger.rules.hours, ledger.rules.limits, ledger.rules.gap.rush_over
    moments = [release.at for release in ledger.releases]
    rest: datetime | None = None
    for place in range(1, len(moments)):
        before, after = ledger.releases[place - 1], ledger.releases[place]
        if rest is None or rest < before.at:
            rest = hours.next_rest(before.at)
        queue = PRESSURES[after.pressure]
        if (rest is not None and rest < after.at) or not before.left or _queue(before.left, rush_over) != queue:
            continue
        lately = place - bisect_right(moments, after.at - TEMPO_SPAN, hi=place)
        active = hours.active_seconds(after.at - TEMPO_SPAN, after.at)
        expected = limits.per_day * active / hours.active_seconds_a_day
        yield Gap(
            place,
            (after.at - before.at).total_seconds(),
            queue,
            after.base_seconds,
            after.pressure,
            after.tempo,
            after.mean_seconds,
            after.bound == Bound.GAP,
            (lately + 0.5) / (expected + 0.5),
        )


def coefficient_of_variation(seconds: Sequence[float]) -> float:
    """The standard deviation divided by the mean."""
    mean = fmean(seconds)
    return fmean([(second - mean) ** 2 for second in seconds]) ** 0.5 / mean


def _queue(waiting: int, rush_over: int) -> str:
    if waiting > rush_over:
        return RUSH
    return CALM if waiting < rush_over else EVEN
