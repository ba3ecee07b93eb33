"""The rounds of a package go on fairly while its profiles pause and resume, and are added and removed."""

import random
from collections import Counter
from collections.abc import Collection
from datetime import UTC, datetime
from itertools import combinations

from hypothesis import example, given
from hypothesis import strategies as st

from router.core.routing import ProfileSnapshot, route_record
from spreader.contract.configuration import Gateway, Package, Profile
from spreader.contract.content import TextContent
from spreader.contract.events import OpenMessageRequested

NOON = datetime(2026, 2, 10, 12, tzinfo=UTC)
NAMES = "abcde"
Names = frozenset[str]

some = st.frozensets(st.sampled_from(NAMES))
steps_of_a_package = st.lists(st.tuples(some, some, st.integers(1, 9)), min_size=1, max_size=12)
"""For each request: the profiles that the package has, those that are paused, and the number of recipients."""


def package(present: Collection[str], paused: Collection[str]) -> Package:
    gateway = Gateway(driver="simulator", base_url="http://127.0.0.1:1", account="x")
    profiles = tuple(
        Profile(profile_id=name, name=name, phone="201000000001", paused=name in paused, gateway=gateway)
        for name in sorted(present)
    )
    return Package(package_id="one", version=1, name="One", distribution="round_robin", profiles=profiles)


def shared_out(one: Package, deliveries: int, cursor: str) -> tuple[tuple[str, ...], str]:
    request = OpenMessageRequested(
        package_id="one", message_id="m", content=TextContent(type="text", text="Hello"), requested_at=NOON,
        recipients=tuple(f"2011{number:08}" for number in range(deliveries)),
    )  # fmt: skip
    routing, cursor = route_record(request, one, ProfileSnapshot(), cursor, random.Random(1))
    return routing.profiles, cursor


@given(steps_of_a_package)
@example([(frozenset("abcd"), frozenset(), 1), (frozenset("bcd"), frozenset(), 2), (frozenset("abcd"), frozenset(), 1)])
@example([(frozenset("bc"), frozenset(), 1), (frozenset("abc"), frozenset(), 1), (frozenset("abc"), frozenset(), 1)])
def test_profiles_that_run_over_the_same_time_differ_by_one_at_most(steps: list[tuple[Names, Names, int]]) -> None:
    """Fails when the cursor is a place among the profiles: a profile that comes, goes or pauses then moves everybody's
    place."""
    cursor, counted = "", {pair: Counter[str]() for pair in combinations(NAMES, 2)}
    for present, paused, deliveries in steps:
        profiles, cursor = shared_out(package(present, paused), deliveries, cursor)
        assert set(profiles) <= present - paused
        for (first, second), counts in counted.items():
            if not {first, second} <= present - paused:
                counts.clear()
                continue
            counts.update(profiles)
            assert abs(counts[first] - counts[second]) <= 1
