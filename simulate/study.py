"""Study: what a profile's year shows of each promise, in numbers that add up over profiles.

Every measure is taken from the moments of release; of the policy's own reckoning the factors of a gap are used,
to say what one of them makes of it while the others are as they are.
"""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import fmean
from zoneinfo import ZoneInfo

from pacer.core.hours import Hours
from pacer.core.limits import HOUR, rolling_limits
from simulate.arrivals import DAY
from simulate.correlation import is_paced, of_all, of_gaps
from simulate.gaps import CALM, EVEN, RUSH, Gap, coefficient_of_variation, gaps
from simulate.year import BEGIN, Ledger

QUEUES = (RUSH, EVEN, CALM)
FEW = 1_000
"""Fewer gaps than these are not judged: the autocorrelation of chance alone would be over 0.03."""
FEW_OF_TEMPO = 200
"""Fewer slow or fast ones than these are not judged: chance alone would move their mean by 0.02."""
SLOW, FAST = 0.8, 1.25
TEMPO_STEP = 0.1
GAP_STEP_SECONDS = 30
WAIT_STEPS_A_DECADE = 8


@dataclass(frozen=True, slots=True)
class GapStudy:
    """The gaps of one profile with one class of queue (see simulate.gaps, simulate.correlation)."""

    count: int
    mean_seconds: float
    variation: float
    autocorrelation: float | None
    """Of the gaps as they are, without what a limit made longer. None: limits hold too many."""
    with_limits: float
    """Of all of them: waits for a limit too."""
    pressure: float | None
    """Mean of gap / (base x tempo), of gaps that no limit made longer: what the queue makes of it.

    None: too few, or limits hold so many that those left are the long ones.
    """


@dataclass(frozen=True, slots=True)
class Study:
    profile_id: str
    pattern: str
    spread: float
    releases: int
    breaches: dict[str, int]
    """For each window: releases that were one too many in the span before them."""
    in_rest: int
    """Releases in a rest window, reckoned here by the wall clock of the package's zone."""
    fullest_hour: float
    """The most releases in any 60 minutes of a stretch that follows a rest without a release, over the day's limit.

    An hour ends before the moment that is an hour after its begin, as a rolling window does.
    """
    gaps: dict[str, GapStudy]
    tempo: dict[str, float]
    """Mean of gap / (base x pressure) at the end of two slow hours and of two fast ones, of gaps that no limit made
    longer. Left out: those of which there are too few, and queues of which limits hold too many.

    Slow: under 0.8 of the releases that the day's limit makes of them; fast: over 1.25.
    """
    gap_counts: dict[str, Counter[int]]
    """By class of queue, in steps of half a minute."""
    tempo_sums: dict[int, tuple[int, float]]
    """By how two hours went (steps of 0.1): how many gaps that no limit made longer, and the sum of
    gap / (base x pressure)."""
    hours: Counter[int]
    """Releases by the hour of the package's wall clock."""
    days: Counter[int]
    waits: Counter[int]
    """Waiting times, in eighths of decades of seconds; -1: under a second."""
    sample: list[tuple[float, float]]
    """Moments (in days) and lengths of the gaps of its first fortnight."""


def study(ledger: Ledger) -> Study:
    moments = [release.at for release in ledger.releases]
    found = list(gaps(ledger))
    zone = ZoneInfo(ledger.timezone)
    by_queue = {queue: [gap for gap in found if gap.queue == queue] for queue in QUEUES}
    return Study(
        ledger.profile_id, ledger.pattern, ledger.rules.spread, len(moments),
        breaches={
            limit.bound: sum(
                later - earlier < limit.window
                for earlier, later in zip(moments, moments[limit.releases_max:], strict=False)
            )
            for limit in rolling_limits(ledger.rules.limits)
        },
        in_rest=sum(_is_in_rest(moment, ledger.rules.hours, zone) for moment in moments),
        fullest_hour=_fullest_hour(moments, ledger.rules.hours) / ledger.rules.limits.per_day,
        gaps={queue: _of(chosen) for queue, chosen in by_queue.items() if len(chosen) > 1},
        tempo=_tempo(by_queue.values()),
        gap_counts={queue: Counter(int(gap.seconds // GAP_STEP_SECONDS) for gap in chosen)
                    for queue, chosen in by_queue.items()},
        tempo_sums=_tempo_sums([gap for gap in found if gap.is_paced]),
        hours=Counter(moment.astimezone(zone).hour for moment in moments),
        days=Counter((moment - BEGIN) // DAY for moment in moments),
        waits=Counter(_wait_step(release.waited) for release in ledger.releases),
        sample=[((moments[gap.place] - BEGIN) / DAY, gap.seconds) for gap in found
                if moments[gap.place] < BEGIN + 14 * DAY],
    )  # fmt: skip


def _is_in_rest(moment: datetime, hours: Hours, zone: ZoneInfo) -> bool:
    """By the wall clock: a rest begins at its time of this day or the last one, and lasts its hours."""
    if hours.rest is None:
        return False
    today = moment.astimezone(zone).date()
    begins = (datetime.combine(day, hours.rest.start, tzinfo=zone) for day in (today - DAY, today, today + DAY))
    return any(timedelta(0) <= moment - begin - hours.offset < hours.rest.length for begin in begins)


def _fullest_hour(moments: Sequence[datetime], hours: Hours) -> int:
    """Of all hours in the stretches that follow an idle night; the promise of no release in a rest makes all such."""
    fullest, place = 0, 0
    while place < len(moments):
        rest = hours.next_rest(moments[place])
        end = len(moments) if rest is None else bisect_left(moments, rest, lo=place)
        for first in range(place, end):
            fullest = max(fullest, bisect_left(moments, moments[first] + HOUR, lo=first, hi=end) - first)
        place = max(end, place + 1)
    return fullest


def _of(found: Sequence[Gap]) -> GapStudy:
    seconds = [gap.seconds for gap in found]
    ratios = [gap.seconds / gap.base_seconds / gap.tempo for gap in found if gap.is_paced]
    return GapStudy(
        len(found), fmean(seconds), coefficient_of_variation(seconds), of_gaps(found), of_all(found),
        fmean(ratios) if len(ratios) >= FEW and is_paced(found) else None,
    )  # fmt: skip


def _tempo(by_queue: Iterable[Sequence[Gap]]) -> dict[str, float]:
    found = [gap for chosen in by_queue if is_paced(chosen) for gap in chosen if gap.is_paced]
    slow = [gap.seconds / gap.base_seconds / gap.pressure for gap in found if gap.load < SLOW]
    fast = [gap.seconds / gap.base_seconds / gap.pressure for gap in found if gap.load > FAST]
    return {name: fmean(ratios) for name, ratios in (("slow", slow), ("fast", fast)) if len(ratios) >= FEW_OF_TEMPO}


def _tempo_sums(found: Sequence[Gap]) -> dict[int, tuple[int, float]]:
    sums: dict[int, tuple[int, float]] = {}
    for gap in found:
        many, total = sums.get(step := int(gap.load / TEMPO_STEP), (0, 0.0))
        sums[step] = (many + 1, total + gap.seconds / gap.base_seconds / gap.pressure)
    return sums


def _wait_step(waited: timedelta) -> int:
    seconds = waited.total_seconds()
    return -1 if seconds < 1 else int(math.log10(seconds) * WAIT_STEPS_A_DECADE)
