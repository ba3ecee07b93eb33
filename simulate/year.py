"""Year: one package run through its days by the release loop's own decisions, on a virtual clock."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count, repeat
from random import Random

from pacer.core.policy import Head, Margins, Rules
from pacer.core.rules_in_force import rules
from pacer.core.schedule import ORDINARY
from pacer.core.simulation import Course, Runner, Went
from simulate.arrivals import DAY, PATTERNS, Arrival, kept
from simulate.fleet import Fleet

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday; the year has both changes of clocks
MARGINS = Margins(timedelta(seconds=2.5), timedelta(seconds=1))  # the pacer's defaults


@dataclass(slots=True)
class Release:
    """A release as the studies want it."""

    at: datetime
    base_seconds: float
    pressure: float
    """That it was decided with: it tells how many waited at the end of the gap."""
    tempo: float
    mean_seconds: float
    bound: str
    """What held it last."""
    waited: timedelta
    left: int
    """How many wait once it has gone, and what came in its place: it tells how many waited at the begin of the next."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """What one profile did in its year, and the rules that it was to keep."""

    profile_id: str
    pattern: str
    timezone: str
    rules: Rules
    releases: list[Release]


def year(fleet: Fleet, number: int) -> list[Ledger]:
    """One package, which shares nothing with others, so that it may run anywhere."""
    package, pattern = fleet.package(number), fleet.pattern_of(number)
    rng = Random(f"{fleet.seed}/{number}")
    runners = [
        Runner(profile.profile_id, rules(package, profile, None, MARGINS, BEGIN), position=rng.random())
        for profile in package.profiles
    ]
    course = Course(package.package_id, runners, BEGIN, package.limits.per_day, position=rng.random)
    ledgers = [Ledger(each.profile_id, pattern, package.timezone, each.rules, []) for each in runners]
    _run(course, ledgers, _arrivals(fleet, pattern, len(runners), rng), pattern, BEGIN + fleet.days * DAY)
    return ledgers


def _arrivals(fleet: Fleet, pattern: str, profiles: int, rng: Random) -> Iterator[tuple[Arrival, int]]:
    """Those of all profiles, in the order of time; each profile has its own."""
    streams = [
        zip(PATTERNS[pattern](BEGIN, fleet.days, Random(rng.random())), repeat(number), strict=False)
        for number in range(profiles)
    ]
    return heapq.merge(*streams)


def _run(
    course: Course, ledgers: list[Ledger], arrivals: Iterator[tuple[Arrival, int]], pattern: str, end: datetime
) -> None:
    places = {runner.profile_id: place for place, runner in enumerate(course.runners)}
    ids = (f"d{number}" for number in count())

    def add(place: int, many: int) -> None:
        course.runners[place].line.add(Head(next(ids), ORDINARY, course.now) for _ in range(many))
        course.wake([place])

    def refill(place: int) -> None:
        wanted = kept(pattern, course.now - BEGIN)
        line = course.runners[place].line
        if wanted is not None and len(line) < wanted:
            line.add(Head(next(ids), ORDINARY, course.now) for _ in range(wanted - len(line)))

    def go_on(until: datetime) -> None:
        for went in course.run(until):
            place = places[went.profile_id]
            refill(place)
            ledgers[place].releases.append(_release(went, len(course.runners[place].line)))

    for place in range(len(ledgers)):
        refill(place)
    course.wake()
    for (moment, many), place in arrivals:
        go_on(moment)
        add(place, many)
    go_on(end)


def _release(went: Went, left: int) -> Release:
    pace = went.pace
    waited = went.at - went.head.not_before
    return Release(
        went.at, pace.base_seconds, pace.pressure, pace.tempo, pace.mean_seconds, went.waited_for, waited, left
    )
