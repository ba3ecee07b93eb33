"""Evaluator: one profile that cannot be evaluated never stops the evaluation of the others."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
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


def since_ever(*names: str) -> dict[str, datetime]:
    return dict.fromkeys(names, NEVER)


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
        evaluated = await lock_conditions(connection, since_ever("one", "three"))
        await connection.execute(text("UPDATE stats.condition SET risks = '[]' WHERE profile_id = 'two'"))
    assert {name: condition.at for name, condition in evaluated.items()} == dict.fromkeys(
        ("one", "three"), harness.clock()
    )
    await harness.evaluate()
    async with harness.engine.begin() as connection:
        assert (await lock_conditions(connection, since_ever("two")))["two"].at == harness.clock()


GIVE_UP = (
    """CREATE FUNCTION stats.give_up() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'statement timeout' USING ERRCODE = 'query_canceled'; END $$""",
    """CREATE TRIGGER give_up BEFORE INSERT OR UPDATE ON stats.condition
    FOR EACH ROW WHEN (NEW.profile_id IN ({profiles})) EXECUTE FUNCTION stats.give_up()""",
)


@asynccontextmanager
async def time_outs(harness: StatsHarness, *names: str) -> AsyncGenerator[None]:
    """Postgres gives up each statement that stores the condition of one of these profiles."""
    profiles = ", ".join(f"'{name}'" for name in names)
    async with harness.engine.begin() as connection:
        for statement in GIVE_UP:
            await connection.execute(text(statement.format(profiles=profiles)))
    try:
        yield
    finally:
        async with harness.engine.begin() as connection:
            await connection.execute(text("DROP FUNCTION stats.give_up CASCADE"))


async def evaluated_at(harness: StatsHarness) -> dict[str, datetime]:
    async with harness.engine.begin() as connection:
        return {name: found.at for name, found in (await lock_conditions(connection, since_ever(*PROFILES))).items()}


async def test_a_profile_whose_statements_take_too_long_stops_no_other_and_comes_back(harness: StatsHarness) -> None:
    await harness.evaluate()
    before = harness.clock()
    async with time_outs(harness, "two"):
        for _ in range(2):
            harness.clock.forward(10 * MINUTE)
            harness.evaluator.schedule_now(PROFILES)
            with pytest.raises(EvaluationFailed, match="two"):
                await harness.evaluate()
            now = harness.clock()
            assert await evaluated_at(harness) == {"one": now, "two": before, "three": now}
    harness.evaluator.schedule_now(PROFILES)
    await harness.evaluate()
    assert await evaluated_at(harness) == dict.fromkeys(PROFILES, harness.clock())


async def test_profiles_that_take_too_long_do_not_take_the_whole_turn(harness: StatsHarness) -> None:
    await harness.evaluate()
    async with time_outs(harness, "one", "two"):
        harness.clock.forward(10 * MINUTE)
        harness.evaluator.alone_seconds = 0
        harness.evaluator.schedule_now(PROFILES)
        for _ in range(3):  # two turns find one of them each, and leave the others to the next turn
            with pytest.raises(EvaluationFailed):
                await harness.evaluate()
        assert (await evaluated_at(harness))["three"] == harness.clock()


async def test_a_condition_without_a_sign_comes_back_as_it_was_stored(harness: StatsHarness) -> None:
    await harness.evaluate()
    async with harness.engine.begin() as connection:
        stored = await lock_conditions(connection, since_ever(*PROFILES))
    assert {condition.signalled_at for condition in stored.values()} == {NEVER}
