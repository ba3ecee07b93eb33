"""Pending assignments: an assignment is pending exactly until the pacer has counted it."""

import time
from datetime import UTC, datetime, timedelta

from router.pending_assignments import TICK, PendingAssignments
from router.testing import MemoryConfigCache
from spreader.contract.events import ProfilePace

NOON = datetime(2026, 2, 10, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def pace(assigned_until: datetime | None, at: datetime) -> ProfilePace:
    return ProfilePace(
        profile_id="a", package_id="shop", waiting=11, held=500, assigned_until=assigned_until, last_release=None,
        next_release=None, bound="gap", base_seconds=180, pressure=1, tempo=1, mean_seconds=180, at=at,
    )  # fmt: skip


def test_an_assignment_stays_pending_until_a_pace_contains_it() -> None:
    pending, config = PendingAssignments(), MemoryConfigCache()
    first = pending.add(["a"] * 5 + ["b"], NOON)
    pending.add(["a"] * 3, NOON + SECOND)
    assert pending.snapshot(config).pending == {"a": 8, "b": 1}
    config.set_pace(pace(first, at=NOON + 9 * SECOND))
    assert pending.snapshot(config).pending == {"a": 3, "b": 1}


def test_a_counted_assignment_is_dropped() -> None:
    pending, config = PendingAssignments(), MemoryConfigCache()
    last = pending.add(["a"], NOON)
    config.set_pace(pace(last, at=NOON))
    assert pending.snapshot(config).pending == {}


def test_each_record_gets_a_unique_time_even_when_the_clock_stops_or_goes_back() -> None:
    pending = PendingAssignments()
    moments = [pending.add(["a"], now) for now in (NOON, NOON, NOON - SECOND)]
    assert moments == [NOON, NOON + TICK, NOON + 2 * TICK]


def test_a_pace_of_an_older_pacer_counts_everything_before_its_own_time() -> None:
    pending, config = PendingAssignments(), MemoryConfigCache()
    pending.add(["a"], NOON)
    config.set_pace(pace(None, at=NOON - SECOND))
    assert pending.snapshot(config).pending == {"a": 1}
    config.set_pace(pace(None, at=NOON))
    assert pending.snapshot(config).pending == {}


def test_the_cost_of_a_record_does_not_grow_with_the_assignments_that_are_not_counted() -> None:
    """Fails when each record walks all of them: 2,000 records over 100,000 assignments then take about ten seconds."""
    pending, config = PendingAssignments(), MemoryConfigCache()
    for _ in range(500):
        pending.add((f"p{number}" for number in range(200)), NOON)
    began = time.process_time()
    for number in range(2_000):
        assert pending.snapshot(config).pending.get(f"p{number % 10}", 0) >= 500
        pending.add([f"p{number % 10}"], NOON)
    assert time.process_time() - began < 1
