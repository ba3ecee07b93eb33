"""Removed profiles: their states and alerts end, and a profile that is made again with the same id begins afresh."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.contract.configuration import Profile
from spreader.contract.events import ProfileState
from stats.core.profile_summary import RemovedProfile
from stats.counting.sql_closures import lock_closures
from stats.health.removed_profiles import RemovedProfiles
from stats.health.sql_conditions import lock_profiles
from stats.health.sql_removed import end_profiles
from stats.testing import StatsHarness, joined, outcome, package, profile, report

pytestmark = pytest.mark.postgres

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WAITING_FOR_LOCKS = text("""
SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'""")
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
OTHER = profile("other", "waha", created_at=NOON - 90 * timedelta(days=1))


def sales(created_at: datetime) -> Profile:
    return profile("sales", "waha", created_at=created_at)


@pytest.fixture
async def harness(engine: AsyncEngine) -> StatsHarness:
    """The profile `sales` is banned, and many of its messages were not delivered."""
    harness = StatsHarness(engine, NOON, package("shop", sales(NOON - 5 * HOUR), OTHER))
    await harness.receive(report(NOON, session="working", quality="red"))
    await harness.receive(*(outcome(number, "sent", NOON - 4 * HOUR) for number in range(20)))
    await harness.receive(outcome(99, "deferred", NOON, failure="account", reason="banned"))
    state = await harness.state("sales")
    assert (state.open.state, state.reply.state, state.quality) == ("blocked", "blocked", "red")
    return harness


async def rows_of(harness: StatsHarness, name: str) -> int:
    tables = ("closure", "condition", "report")
    count = " + ".join(f"(SELECT count(*) FROM stats.{table} WHERE profile_id = :name)" for table in tables)
    async with harness.engine.connect() as connection:
        return (await connection.execute(text(f"SELECT {count}"), {"name": name})).scalar_one()


def is_fresh(state: ProfileState) -> bool:
    lanes = (state.open.state, state.reply.state, state.limit_factor)
    return lanes == ("ok", "ok", 1.0) and (state.session, state.quality, state.quota) == (None, None, None)


async def test_the_state_and_the_alerts_of_a_removed_profile_end(harness: StatsHarness) -> None:
    await harness.state("other")
    raised = {kind for kind, state in harness.alerts if state == "raised"}
    assert {"account", "quality"} <= raised
    harness.clock.forward(MINUTE)
    harness.configure(package("shop", OTHER))
    await harness.end_removed()
    assert {kind for kind, state in harness.alerts if state == "cleared"} == raised
    assert is_fresh(harness.bus.of(ProfileState)[-1])
    assert [(each.key, each.body) for each in harness.bus.tombstones] == [(b"sales", None)]
    assert (await rows_of(harness, "sales"), await rows_of(harness, "other")) == (0, 1)
    published = len(harness.bus.published)
    await harness.end_removed()
    assert len(harness.bus.published) == published


async def test_an_alert_that_an_instance_raised_after_the_removal_ends(harness: StatsHarness) -> None:
    """The instance had not read of the removal. Fails if only profiles with a published state are ended."""
    harness.configure(package("shop", OTHER))
    await harness.end_removed()
    harness.configure(package("shop", sales(NOON - 5 * HOUR), OTHER))
    await harness.receive(outcome(97, "deferred", harness.clock(), failure="restricted", reason="again"))
    before = len(harness.alerts)
    await harness.evaluate()
    raised = {kind for kind, state in harness.alerts[before:] if state == "raised"}
    assert "restricted" in raised
    before = len(harness.alerts)
    harness.configure(package("shop", OTHER))
    restarted = RemovedProfiles(harness.engine, harness.config, harness.bus, harness.clock, harness.published)
    assert "sales" not in harness.published
    await restarted.turn()
    await harness.publish_alerts()
    assert {kind for kind, state in harness.alerts[before:] if state == "cleared"} >= raised


async def test_ending_and_evaluating_the_same_profile_do_not_deadlock(harness: StatsHarness) -> None:
    """An instance that has not read of the removal evaluates the profile. Fails if the end changes the alerts before it
    locks the profile: then each waits for the other one."""
    async with harness.engine.begin() as evaluation:
        await lock_profiles(evaluation, ["sales"])
        await lock_closures(evaluation, ["sales"])
        end = asyncio.create_task(end_profiles(harness.engine, [RemovedProfile("sales", NOON)], NOON))
        async with asyncio.timeout(20), harness.engine.connect() as connection:
            while (await connection.execute(WAITING_FOR_LOCKS)).scalar() is None:
                await connection.rollback()
        await evaluation.execute(text("UPDATE stats.alert SET evidence = 'new' WHERE profile_id = 'sales'"))
    await end
    assert await rows_of(harness, "sales") == 0


@pytest.mark.parametrize("noticed", [True, False])
async def test_a_profile_that_is_made_again_with_the_same_id_begins_afresh(
    harness: StatsHarness, noticed: bool
) -> None:
    """`noticed`: whether stats sees the package without the profile in between."""
    harness.clock.forward(MINUTE)
    if noticed:
        harness.configure(package("shop", OTHER))
        await harness.end_removed()
    harness.clock.forward(SECOND)
    made_at = harness.clock()
    harness.configure(package("shop", sales(made_at), OTHER))
    harness.clock.forward(SECOND)
    (first,) = [state for state in await harness.publish() if state.profile_id == "sales"]
    assert is_fresh(first)
    state = await harness.state("sales")
    assert is_fresh(state)
    assert state.health is not None
    assert [reason.evidence for reason in state.health.reasons][:2] == ["nothing was sent in 24 hours", "none"]
    last_states = dict(harness.alerts)
    assert set(last_states.values()) == {"cleared"}
    await harness.receive(outcome(98, "deferred", made_at - SECOND, failure="account", reason="a late record"))
    assert is_fresh(await harness.state("sales"))
    before = len(harness.alerts)
    await harness.receive(outcome(97, "deferred", made_at + SECOND, failure="account", reason="its own"))
    assert (await harness.state("sales")).open.state == "blocked"
    assert ("account", "raised") in harness.alerts[before:]


async def test_no_profile_ends_while_its_package_is_unread(harness: StatsHarness) -> None:
    """After Kafka was set up again, stats may have no packages yet."""
    harness.packages.set("shop", None)
    await harness.end_removed()
    assert (harness.bus.tombstones, await rows_of(harness, "sales") > 0) == ([], True)


async def test_a_closure_after_the_removal_stays_because_it_may_be_of_a_new_profile(harness: StatsHarness) -> None:
    """Another instance may know the new profile already."""
    harness.clock.forward(MINUTE)
    harness.configure(package("shop", OTHER))
    await harness.receive(outcome(97, "deferred", harness.clock() + SECOND, failure="restricted", reason="new"))
    await harness.end_removed()
    assert await rows_of(harness, "sales") == 1


HOLDERS = tuple(profile(name, "cloud_api", "token", created_at=NOON - HOUR) for name in ("one", "two"))


async def test_a_replayed_sign_of_a_holder_does_not_close_profiles_that_joined_later(engine: AsyncEngine) -> None:
    late = joined(profile("late", "cloud_api", "token", created_at=NOON - HOUR), NOON + MINUTE)
    made = profile("made", "cloud_api", "token", created_at=NOON + MINUTE)
    harness = StatsHarness(engine, NOON + HOUR, package("shop", *HOLDERS, late, made))
    sign = outcome(1, "deferred", NOON, "one", failure="credentials", code="190", reason="token expired")
    await harness.receive(sign)
    closed = {name: (await harness.state(name)).open.state for name in ("one", "two", "late", "made")}
    assert closed == {"one": "blocked", "two": "blocked", "late": "ok", "made": "ok"}
    later = sign.model_copy(update={"at": NOON + 2 * MINUTE, "delivery_id": "dlv_2"})
    await harness.receive(later)
    assert {(await harness.state(name)).open.state for name in ("one", "two", "late", "made")} == {"blocked"}


async def test_a_replayed_lift_of_a_holder_does_not_open_profiles_that_joined_later(engine: AsyncEngine) -> None:
    late = joined(profile("late", "cloud_api", "token", created_at=NOON - HOUR), NOON + HOUR)
    harness = StatsHarness(engine, NOON + 2 * HOUR, package("shop", *HOLDERS, late))
    await harness.receive(outcome(1, "deferred", NOON, "late", failure="account", reason="banned"))
    await harness.receive(report(NOON + MINUTE, "one", session="working"))
    assert (await harness.state("late")).open.state == "blocked"
