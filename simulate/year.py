"""Year: one package run through its days by the release loop's own decisions, on a virtual clock."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count, repeat
from random import Random

from pacer.core.policy import HeldDelivery, Margins, Rules
from pacer.core.rules_in_force import rules_in_force
from pacer.core.schedule import ORDINARY
from pacer.core.simulation import SimulatedProfile, SimulatedRelease, Simulation
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
    profiles = [
        SimulatedProfile(
            profile.profile_id, rules_in_force(package, profile, None, MARGINS, BEGIN), position=rng.random()
        )
        for profile in package.profiles
    ]
    simulation = Simulation(package.package_id, profiles, BEGIN, package.limits.per_day, draw_position=rng.random)
    ledgers = [Ledger(each.profile_id, pattern, package.timezone, each.rules, []) for each in profiles]
    _run(simulation, ledgers, _arrivals(fleet, pattern, len(profiles), rng), pattern, BEGIN + fleet.days * DAY)
    return ledgers


def _arrivals(fleet: Fleet, pattern: str, profiles: int, rng: Random) -> Iterator[tuple[Arrival, int]]:
    """Those of all profiles, in the order of time; each profile has its own."""
    streams = [
        zip(PATTERNS[pattern](BEGIN, fleet.days, Random(rng.random())), repeat(number), strict=False)
        for number in range(profiles)
    ]
    return heapq.merge(*streams)


def _run(
    simulation: Simulation, ledgers: list[Ledger], arrivals: Iterator[tuple[Arrival, int]], pattern: str, end: datetime
) -> None:
    places = {profile.profile_id: place for place, profile in enumerate(simulation.profiles)}
    ids = (f"d{number}" for number in count())

    def add(place: int, many: int) -> None:
        simulation.profiles[place].queue.add(HeldDelivery(next(ids), ORDINARY, simulation.now) for _ in range(many))
        simulation.wake([place])

    def refill(place: int) -> None:
        wanted = kept(pattern, simulation.now - BEGIN)
        queue = simulation.profiles[place].queue
        if wanted is not None and len(queue) < wanted:
            queue.add(HeldDelivery(next(ids), ORDINARY, simulation.now) for _ in range(wanted - len(queue)))

    def go_on(until: datetime) -> None:
        for release in simulation.run(until):
            place = places[release.profile_id]
            refill(place)
            ledgers[place].releases.append(_release(release, len(simulation.profiles[place].queue)))

    for place in range(len(ledgers)):
        refill(place)
    simulation.wake()
    for (moment, many), place in arrivals:
        go_on(moment)
        add(place, many)
    go_on(end)


def _release(release: SimulatedRelease, left: int) -> Release:
    pace = release.pace
    waited = release.at - release.delivery.not_before
    return Release(
        release.at, pace.base_seconds, pace.pressure, pace.tempo, pace.mean_seconds, release.waited_for, waited, left
    )
