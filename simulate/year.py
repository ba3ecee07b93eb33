"""Year: simulates one package for a number of days, on a virtual clock."""

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
from simulate.arrivals import DAY, PATTERNS, Arrival, refill_level
from simulate.fleet import Fleet

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday. The clocks change twice in the year that begins here
MARGINS = Margins(timedelta(seconds=2.5), timedelta(seconds=1))  # the pacer's defaults


@dataclass(slots=True)
class Release:
    """A release, with the factors by which the policy decided it."""

    at: datetime
    base_seconds: float
    pressure: float
    """The pressure, which shows how many deliveries waited at the end of the gap."""
    tempo: float
    mean_seconds: float
    bound: str
    """The last bound that held the release."""
    waited: timedelta
    left: int
    """The number of deliveries that waited at the begin of the next gap. A refill after the release is included."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """The releases of one profile, and its rules."""

    profile_id: str
    pattern: str
    timezone: str
    rules: Rules
    releases: list[Release]


def year(fleet: Fleet, number: int) -> list[Ledger]:
    """Simulate package `number` of the fleet. Packages share nothing, so each can run in any process."""
    package, pattern = fleet.package(number), fleet.pattern_of(number)
    rng = Random(f"{fleet.seed}/{number}")
    profiles = [
        SimulatedProfile(
            profile.profile_id, rules_in_force(package, profile, None, MARGINS, BEGIN), position=rng.random()
        )
        for profile in package.profiles
    ]
    simulation = Simulation(package.package_id, profiles, BEGIN, package.limits.per_day, draw_position=rng.random)
    ledgers = [Ledger(profile.profile_id, pattern, package.timezone, profile.rules, []) for profile in profiles]
    _run(simulation, ledgers, _arrivals(fleet, pattern, len(profiles), rng), pattern, BEGIN + fleet.days * DAY)
    return ledgers


def _arrivals(fleet: Fleet, pattern: str, profiles: int, rng: Random) -> Iterator[tuple[Arrival, int]]:
    """The arrivals of all profiles, in order of time."""
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
        wanted = refill_level(pattern, simulation.now - BEGIN)
        queue = simulation.profiles[place].queue
        if wanted is not None and len(queue) < wanted:
            queue.add(HeldDelivery(next(ids), ORDINARY, simulation.now) for _ in range(wanted - len(queue)))

    def run_until(until: datetime) -> None:
        for release in simulation.run(until):
            place = places[release.profile_id]
            refill(place)
            ledgers[place].releases.append(_release(release, len(simulation.profiles[place].queue)))

    for place in range(len(ledgers)):
        refill(place)
    simulation.wake()
    for (at, many), place in arrivals:
        run_until(at)
        add(place, many)
    run_until(end)


def _release(release: SimulatedRelease, left: int) -> Release:
    pace = release.pace
    waited = release.at - release.delivery.not_before
    return Release(
        release.at, pace.base_seconds, pace.pressure, pace.tempo, pace.mean_seconds, release.waited_for, waited, left
    )
