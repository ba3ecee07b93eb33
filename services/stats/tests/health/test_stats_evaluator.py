"""Evaluator: one profile that cannot be evaluated never stops the evaluation of the others."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from stats.core.condition import NEVER
from stats.health.evaluator import EvaluationFailed
from stats.health.sql_conditions import lock_conditions
from stats.testing import StatsHarness, outcome, package, profile

pytestmark = pytest.mark.postgres

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PROFILES = ("one", "two", "three")


@pytest.fixture
def harness(engine: AsyncEngine) -> StatsHarness:
    return StatsHarness(engine, NOON, package("shop", *map(profile, PROFILES)))


async def test_a_block_after_the_first_evaluation_raises_its_alert_and_the_others_are_evaluated(
    harness: StatsHarness,
) -> None:
    await harness.evaluate()
    harness.clock.forward(MINUTE)
    blocked = outcome(1, "deferred", harness.clock(), "two", failure="profile", code="profile_blocked", reason="no")
    await harness.receive(blocked)
    state = await harness.state("two")
    assert (state.open.state, harness.alerts) == ("blocked", [("profile", "raised")])
    for name in PROFILES:
        assert harness.published[name].health is not None


async def test_a_profile_that_cannot_be_evaluated_stops_no_other_and_comes_back(harness: StatsHarness) -> None:
    await harness.evaluate()
    async with harness.engine.begin() as connection:
        await connection.execute(text("UPDATE stats.condition SET risks = '[{\"kind\": 1}]' WHERE profile_id = 'two'"))
    harness.clock.forward(10 * MINUTE)
    harness.evaluator.schedule_now(PROFILES)
    with pytest.raises(EvaluationFailed, match="two"):
        await harness.evaluate()
    async with harness.engine.begin() as connection:
        evaluated = await lock_conditions(connection, ("one", "three"))
        await connection.execute(text("UPDATE stats.condition SET risks = '[]' WHERE profile_id = 'two'"))
    assert {name: condition.at for name, condition in evaluated.items()} == dict.fromkeys(
        ("one", "three"), harness.clock()
    )
    await harness.evaluate()
    async with harness.engine.begin() as connection:
        assert (await lock_conditions(connection, ("two",)))["two"].at == harness.clock()


async def test_a_condition_without_a_sign_comes_back_as_it_was_stored(harness: StatsHarness) -> None:
    await harness.evaluate()
    async with harness.engine.begin() as connection:
        stored = await lock_conditions(connection, PROFILES)
    assert {condition.signalled_at for condition in stored.values()} == {NEVER}
