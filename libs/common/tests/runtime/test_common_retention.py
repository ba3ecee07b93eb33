"""Retention: batches follow each other while they are full, old rows go, and needed rows are walked past."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.runtime.postgres import create_engine
from spreader.runtime.retention import TAKE_TURN, OldRows, Retention, retention_loop
from spreader.settings import Settings

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
KEEP = timedelta(days=30)
OLD = OldRows("thing", "at", KEEP, is_system_time=True)


@pytest.fixture
async def engine(database_url: str) -> AsyncGenerator[AsyncEngine]:
    engine = create_engine(Settings(database_url=database_url), "tests")
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE thing (id bigserial, at timestamptz, needed boolean)"))
        await connection.execute(text("CREATE INDEX thing_age ON thing (at)"))
    yield engine
    await engine.dispose()


async def store(engine: AsyncEngine, count: int, age: timedelta, needed: bool = False) -> None:
    rows = """
INSERT INTO thing (at, needed)
SELECT CAST(:at AS timestamptz) + n * interval '1 s', :needed FROM generate_series(1, :count) AS n"""
    async with engine.begin() as connection:
        await connection.execute(text(rows), {"at": NOON - age, "needed": needed, "count": count})


async def count(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        return (await connection.execute(text("SELECT count(*) FROM thing"))).scalar_one()


def retention(engine: AsyncEngine, old: OldRows = OLD) -> Retention:
    return Retention(engine, lambda: NOON, lambda: [old])


def shown(name: str) -> float | None:
    return REGISTRY.get_sample_value(name, {"table": "thing"})


async def test_full_batches_follow_soon_and_a_partial_one_ends_the_run() -> None:
    left, batches = 25, list[int]()
    done = asyncio.Event()

    async def delete(rows_max: int) -> int:
        nonlocal left
        batches.append(min(left, rows_max))
        left -= batches[-1]
        if not left:
            done.set()
        return batches[-1]

    loop = retention_loop("old things", delete, rows_max=10, every_seconds=3600)
    await loop.start()
    await asyncio.wait_for(done.wait(), 5)
    await loop.stop()
    assert batches == [10, 10, 5]


async def test_old_rows_are_deleted_in_pieces_and_the_oldest_first(engine: AsyncEngine) -> None:
    await store(engine, 5, KEEP + timedelta(days=2))
    await store(engine, 4, KEEP - timedelta(days=2))
    things = retention(engine)
    assert [await things.delete_old(2) for _ in range(4)] == [2, 2, 1, 0]
    assert await count(engine) == 4


async def test_rows_of_one_time_are_all_deleted(engine: AsyncEngine) -> None:
    """Fails if a piece begins after the time at which the piece before it ended."""
    async with engine.begin() as connection:
        await connection.execute(
            text("INSERT INTO thing (at) SELECT :at FROM generate_series(1, 5)"), {"at": NOON - 2 * KEEP}
        )
    things = retention(engine)
    while await things.delete_old(2):
        pass
    assert await count(engine) == 0


async def test_needed_rows_stay_and_each_walk_reads_them_once(engine: AsyncEngine) -> None:
    """Fails if needed rows at the beginning hide the rows behind them."""
    await store(engine, 6, KEEP + timedelta(days=9), needed=True)
    await store(engine, 3, KEEP + timedelta(days=1))
    things = retention(engine, replace(OLD, needed="thing.needed"))
    assert [await things.delete_old(2) for _ in range(5)] == [2, 2, 2, 2, 1]
    assert await count(engine) == 6
    assert [await things.delete_old(4) for _ in range(3)] == [4, 0, 4]


async def test_one_instance_at_a_time_works_on_a_table(engine: AsyncEngine) -> None:
    await store(engine, 3, 2 * KEEP)
    async with engine.begin() as other:
        await other.execute(TAKE_TURN, {"table": "thing"})
        assert await retention(engine).delete_old(10) == 0
    assert await retention(engine).delete_old(10) == 3


async def test_a_locked_row_is_left_for_the_next_run(engine: AsyncEngine) -> None:
    await store(engine, 3, 2 * KEEP)
    async with engine.begin() as other:
        await other.execute(text("SELECT FROM thing WHERE id = 1 FOR UPDATE"))
        assert await retention(engine).delete_old(10) == 2
    assert await retention(engine).delete_old(10) == 1


async def test_the_metrics_show_what_was_deleted_and_how_far_the_deletion_is_behind(engine: AsyncEngine) -> None:
    await store(engine, 5, KEEP + timedelta(days=2))
    await store(engine, 1, timedelta(hours=1))
    things = retention(engine)
    before = shown("spreader_deleted_rows_total") or 0
    await things.delete_old(2)
    assert shown("spreader_deleted_rows_total") == before + 2
    assert shown("spreader_overdue_rows_seconds") == pytest.approx(2 * 86_400, abs=10)
    assert shown("spreader_oldest_row_seconds") == pytest.approx(32 * 86_400, abs=10)
    await things.delete_old(10)
    assert shown("spreader_overdue_rows_seconds") == 0
    assert shown("spreader_oldest_row_seconds") == pytest.approx(3_600, abs=10)
