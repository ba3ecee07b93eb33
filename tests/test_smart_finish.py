"""Smart finish: the pacer's policy sends what `smart` shares out, and all profiles finish at about the same time."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from pacer.core.policy import HeldDelivery, Margins
from pacer.core.rules_in_force import rules_in_force
from pacer.core.schedule import ORDINARY
from pacer.core.simulation import SimulatedProfile, Simulation
from router.core.candidates import find_candidates
from router.core.routing import ProfileSnapshot
from router.core.strategies import allocate
from spreader.contract.configuration import Gap, Gateway, Package, Profile, ProfileLimits
from spreader.contract.events import ProfilePace, ProfileState

NOON = datetime(2026, 2, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)
NO_MARGINS = Margins(timedelta(0), timedelta(0))
ALIKE: Mapping[str, Any] = {}
DELIVERIES = 1_000


def package(limits: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]) -> Package:
    gateway = Gateway(driver="simulator", base_url="http://127.0.0.1:1", account="x")
    return Package(
        package_id="one",
        version=1,
        name="One",
        **settings,
        profiles=tuple(
            Profile(
                profile_id=f"p{number}",
                name="P",
                phone="201000000000",
                gateway=gateway,
                limits=ProfileLimits.model_validate({"unanswered_per_30_days": None, **own}),
            )
            for number, own in enumerate(limits)
        ),
    )


def pace(profile_id: str, held: int) -> ProfilePace:
    return ProfilePace(
        profile_id=profile_id,
        package_id="one",
        waiting=held,
        held=held,
        last_release=None,
        next_release=None,
        bound="",
        base_seconds=600,
        pressure=1,
        tempo=1,
        mean_seconds=600,
        at=NOON,
    )


@pytest.mark.parametrize(
    ("limits", "held", "factors", "settings"),
    [
        pytest.param([ALIKE] * 4, (0, 0, 0, 0), {}, {}, id="profiles that are alike"),
        pytest.param([ALIKE] * 4, (0, 200, 0, 30), {}, {}, id="something waits already"),
        pytest.param(
            [{}, {"per_day": 60}, {"per_day": 240, "per_hour": 40, "per_3_hours": 100}, {}],
            (0, 10, 0, 30),
            {},
            {},
            id="limits of a day",
        ),
        pytest.param(
            [{}, {"per_hour": 4}, {"per_3_hours": 9}, {}],
            (0, 0, 20, 0),
            {},
            {"rest_window": None},
            id="an hour that is tighter than the day",
        ),
        pytest.param([ALIKE] * 4, (0, 0, 0, 0), {"p1": 0.5, "p3": 0.7}, {}, id="halved after a strike"),
        pytest.param(
            [{}, {"per_day": 60}, {}, {}],
            (0, 0, 0, 0),
            {},
            {"gap": Gap(min_seconds=900, max_seconds=1_800)},
            id="the operator's own gap",
        ),
        pytest.param([{}, {"new_contacts_per_day": 30}, {}, {}], (0, 0, 0, 0), {}, {}, id="new contacts"),
    ],
)
def test_all_profiles_finish_within_a_tenth_of_the_same_time(
    limits: Sequence[Mapping[str, Any]], held: Sequence[int], factors: Mapping[str, float], settings: Mapping[str, Any]
) -> None:
    """Fails when the router considers the daily limit only: a tighter hourly limit then doubles the time."""
    one, chance = package(limits, settings), Random(7)
    states = {each: ProfileState(profile_id=each, package_id="one", limit_factor=factors[each], at=NOON)
              for each in factors}  # fmt: skip
    waiting: dict[str, int] = dict(zip(one.profile_ids, held, strict=True))
    paces: dict[str, ProfilePace] = {name: pace(name, count) for name, count in waiting.items()}
    pool = ProfileSnapshot(states, paces).pool(one, find_candidates(one, states, "open"))
    shared = Counter[str](allocate("smart", DELIVERIES, pool, "", chance).profiles)
    simulated = [
        SimulatedProfile(each.profile_id, rules_in_force(one, each, states.get(each.profile_id), NO_MARGINS, NOON))
        for each in one.profiles
    ]
    for profile in simulated:
        count = waiting[profile.profile_id] + shared[profile.profile_id]
        deliveries = [f"{profile.profile_id}/{number}" for number in range(count)]
        profile.queue.add(HeldDelivery(delivery_id, ORDINARY, NOON, cold=True) for delivery_id in deliveries)
    simulation = Simulation("one", simulated, NOON, draw_position=chance.random)
    simulation.wake()
    done = {release.profile_id: (release.at - NOON) / DAY for release in simulation.run(NOON + 400 * DAY)}
    assert sum(len(profile.queue) for profile in simulated) == 0
    assert min(done.values()) >= 0.9 * max(done.values()), (shared, done)
