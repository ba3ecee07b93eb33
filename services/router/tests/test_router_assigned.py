"""Assigned: what a profile was given counts until the pacer says that it has counted it; no earlier, and no longer."""

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


def test_a_pace_that_had_not_counted_a_record_leaves_it_counted_here() -> None:
    assigned, config = PendingAssignments(), MemoryConfigCache()
    first = assigned.add(["a"] * 5 + ["b"], NOON)
    assigned.add(["a"] * 3, NOON + SECOND)
    assert assigned.snapshot(config).pending == {"a": 8, "b": 1}
    config.set_pace(pace(first, at=NOON + 9 * SECOND))
    assert assigned.snapshot(config).pending == {"a": 3, "b": 1}


def test_what_was_counted_is_forgotten() -> None:
    assigned, config = PendingAssignments(), MemoryConfigCache()
    last = assigned.add(["a"], NOON)
    config.set_pace(pace(last, at=NOON))
    assert assigned.snapshot(config).pending == {}


def test_each_record_has_a_moment_of_its_own_although_the_clock_stands_or_goes_back() -> None:
    assigned = PendingAssignments()
    moments = [assigned.add(["a"], now) for now in (NOON, NOON, NOON - SECOND)]
    assert moments == [NOON, NOON + TICK, NOON + 2 * TICK]


def test_an_older_pacer_that_names_no_record_is_taken_at_its_moment() -> None:
    assigned, config = PendingAssignments(), MemoryConfigCache()
    assigned.add(["a"], NOON)
    config.set_pace(pace(None, at=NOON - SECOND))
    assert assigned.snapshot(config).pending == {"a": 1}
    config.set_pace(pace(None, at=NOON))
    assert assigned.snapshot(config).pending == {}
