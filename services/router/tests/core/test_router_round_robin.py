"""The rounds of a package go on fairly while its profiles pause and resume."""

import random
from collections import Counter
from datetime import UTC, datetime
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from router.core.routing import ProfileSnapshot, route_record
from spreader.contract.configuration import Gateway, Package, Profile
from spreader.contract.content import TextContent
from spreader.contract.events import OpenMessageRequested

NOON = datetime(2026, 2, 10, 12, tzinfo=UTC)
NAMES = "abcd"


def package(paused: frozenset[str]) -> Package:
    gateway = Gateway(driver="simulator", base_url="http://127.0.0.1:1", account="x")
    profiles = tuple(
        Profile(profile_id=name, name=name, phone="201000000001", paused=name in paused, gateway=gateway)
        for name in NAMES
    )
    return Package(package_id="one", version=1, name="One", distribution="round_robin", profiles=profiles)


def shared_out(one: Package, deliveries: int, cursor: int) -> tuple[tuple[str, ...], int]:
    request = OpenMessageRequested(
        package_id="one", message_id="m", content=TextContent(type="text", text="Hello"), requested_at=NOON,
        recipients=tuple(f"2011{number:08}" for number in range(deliveries)),
    )  # fmt: skip
    routing, cursor = route_record(request, one, ProfileSnapshot(), cursor, random.Random(1))
    return routing.profiles, cursor


@given(
    st.lists(
        st.tuples(st.frozensets(st.sampled_from(NAMES), max_size=len(NAMES) - 1), st.integers(1, 9)),
        min_size=1,
        max_size=12,
    )
)
def test_profiles_that_run_over_the_same_time_differ_by_one_at_most(steps: list[tuple[frozenset[str], int]]) -> None:
    """Fails when a round is counted modulo the profiles that run: a pause then moves everybody's place."""
    cursor, counted = 0, {pair: Counter[str]() for pair in combinations(NAMES, 2)}
    for paused, deliveries in steps:
        profiles, cursor = shared_out(package(paused), deliveries, cursor)
        assert not paused & set(profiles)
        for (first, second), counts in counted.items():
            if {first, second} & paused:
                counts.clear()
                continue
            counts.update(profiles)
            assert abs(counts[first] - counts[second]) <= 1
