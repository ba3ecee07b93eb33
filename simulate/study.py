"""Study: the measures of one profile's year, as numbers that can be added over profiles.

Every measure is computed from the times of the releases. The policy's own factors are used only to separate the effect
of one factor from the effects of the others.
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
from simulate.correlation import autocorrelation, is_paced, paced_autocorrelation
from simulate.gaps import CALM, EVEN, RUSH, Gap, coefficient_of_variation, measure_gaps
from simulate.year import BEGIN, Ledger

QUEUES = (RUSH, EVEN, CALM)
FEW = 1_000
"""With fewer gaps, a profile is not judged, because chance alone could make the autocorrelation larger than 0.03."""
FEW_OF_TEMPO = 200
"""Fewer slow or fast gaps than this are not judged, because chance alone could move their mean by 0.02."""
SLOW, FAST = 0.8, 1.25
TEMPO_STEP = 0.1
GAP_STEP_SECONDS = 30
WAIT_STEPS_A_DECADE = 8


@dataclass(frozen=True, slots=True)
class GapStudy:
    """The gaps of one profile with one class of queue (`simulate.gaps`)."""

    count: int
    mean_seconds: float
    variation: float
    autocorrelation: float | None
    """The autocorrelation of the gaps that no limit made longer. None: limits made too many gaps longer."""
    with_limits: float
    """The autocorrelation of all gaps, including those that a limit made longer."""
    pressure: float | None
    """The measured pressure: the mean of gap / (base × tempo) of the gaps that no limit made longer.

    None: there are too few such gaps, or limits made too many gaps longer.
    """


@dataclass(frozen=True, slots=True)
class Study:
    profile_id: str
    pattern: str
    spread: float
    releases: int
    breaches: dict[str, int]
    """The number of releases that exceeded each limit."""
    in_rest: int
    """Releases in a rest window, computed here independently of the policy."""
    fullest_hour: float
    """The most releases in any hour (its end excluded) after an idle night, divided by the daily limit."""
    gaps: dict[str, GapStudy]
    tempo: dict[str, float]
    """The measured tempo: the mean of gap / (base × pressure) of gaps that no limit made longer. `slow` is the tempo
    after two hours with under 0.8 of the expected releases. `fast` is the tempo after two hours with over 1.25 of them.
    A key is missing if there are too few such gaps.
    """
    gap_counts: dict[str, Counter[int]]
    """Gaps by class of queue and length, in steps of half a minute."""
    tempo_sums: dict[int, tuple[int, float]]
    """Two numbers for each load, in steps of 0.1. The first is the number of gaps that no limit made longer. The second
    is the sum of gap / (base × pressure) of these gaps."""
    hours: Counter[int]
    """Releases by local hour."""
    days: Counter[int]
    waits: Counter[int]
    """Waiting times in logarithmic steps: step n begins at 10^(n / 8) seconds. Step -1 is under a second."""
    sample: list[tuple[float, float]]
    """The times (in days) and lengths (in seconds) of the gaps of the first fortnight."""


def study(ledger: Ledger) -> Study:
    times = [release.at for release in ledger.releases]
    gaps = list(measure_gaps(ledger))
    zone = ZoneInfo(ledger.timezone)
    by_queue = {queue: [gap for gap in gaps if gap.queue == queue] for queue in QUEUES}
    return Study(
        ledger.profile_id,
        ledger.pattern,
        ledger.rules.spread,
        len(times),
        breaches={
            limit.bound: sum(
                later - earlier < limit.window
                for earlier, later in zip(times, times[limit.releases_max :], strict=False)
            )
            for limit in rolling_limits(ledger.rules.limits)
        },
        in_rest=sum(_is_in_rest(at, ledger.rules.hours, zone) for at in times),
        fullest_hour=_fullest_hour(times, ledger.rules.hours) / ledger.rules.limits.per_day,
        gaps={queue: _gap_study(chosen) for queue, chosen in by_queue.items() if len(chosen) > 1},
        tempo=_tempo(by_queue.values()),
        gap_counts={
            queue: Counter(int(gap.seconds // GAP_STEP_SECONDS) for gap in chosen) for queue, chosen in by_queue.items()
        },
        tempo_sums=_tempo_sums([gap for gap in gaps if gap.is_paced]),
        hours=Counter(at.astimezone(zone).hour for at in times),
        days=Counter((at - BEGIN) // DAY for at in times),
        waits=Counter(_wait_step(release.waited) for release in ledger.releases),
        sample=[((times[gap.place] - BEGIN) / DAY, gap.seconds) for gap in gaps if times[gap.place] < BEGIN + 14 * DAY],
    )


def _is_in_rest(at: datetime, hours: Hours, zone: ZoneInfo) -> bool:
    """Whether the time is in a rest, computed by local time. A rest begins each day at its start time and lasts its
    hours. The stagger (`offset`) may move it to another day."""
    if hours.rest is None:
        return False
    today = at.astimezone(zone).date()
    begins = (datetime.combine(day, hours.rest.start, tzinfo=zone) for day in (today - DAY, today, today + DAY))
    return any(timedelta(0) <= at - begin - hours.offset < hours.rest.length for begin in begins)


def _fullest_hour(times: Sequence[datetime], hours: Hours) -> int:
    """The most releases in an hour between two rests. Every night is idle, because nothing is released in a rest."""
    fullest, place = 0, 0
    while place < len(times):
        rest = hours.next_rest(times[place])
        end = len(times) if rest is None else bisect_left(times, rest, lo=place)
        for first in range(place, end):
            fullest = max(fullest, bisect_left(times, times[first] + HOUR, lo=first, hi=end) - first)
        place = max(end, place + 1)
    return fullest


def _gap_study(gaps: Sequence[Gap]) -> GapStudy:
    seconds = [gap.seconds for gap in gaps]
    ratios = [gap.seconds / gap.base_seconds / gap.tempo for gap in gaps if gap.is_paced]
    return GapStudy(
        len(gaps),
        fmean(seconds),
        coefficient_of_variation(seconds),
        paced_autocorrelation(gaps),
        autocorrelation(gaps),
        fmean(ratios) if len(ratios) >= FEW and is_paced(gaps) else None,
    )


def _tempo(by_queue: Iterable[Sequence[Gap]]) -> dict[str, float]:
    gaps = [gap for chosen in by_queue if is_paced(chosen) for gap in chosen if gap.is_paced]
    slow = [gap.seconds / gap.base_seconds / gap.pressure for gap in gaps if gap.load < SLOW]
    fast = [gap.seconds / gap.base_seconds / gap.pressure for gap in gaps if gap.load > FAST]
    return {name: fmean(ratios) for name, ratios in (("slow", slow), ("fast", fast)) if len(ratios) >= FEW_OF_TEMPO}


def _tempo_sums(gaps: Sequence[Gap]) -> dict[int, tuple[int, float]]:
    sums: dict[int, tuple[int, float]] = {}
    for gap in gaps:
        many, total = sums.get(step := int(gap.load / TEMPO_STEP), (0, 0.0))
        sums[step] = (many + 1, total + gap.seconds / gap.base_seconds / gap.pressure)
    return sums


def _wait_step(waited: timedelta) -> int:
    seconds = waited.total_seconds()
    return -1 if seconds < 1 else int(math.log10(seconds) * WAIT_STEPS_A_DECADE)
