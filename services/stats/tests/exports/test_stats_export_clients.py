"""Clients of exports over real sockets: slow ones, those that go away, and a database that fails in the middle."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.testing import SlowReader, serving
from stats.testing import StatsHarness, package

pytestmark = pytest.mark.postgres

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ROWS = 20_000
KEY = {"Authorization": "Bearer secret"}
ROWS_OF_ONE_HOUR = text("""
INSERT INTO stats.hour (profile_id, at, lane, package_id, sent)
SELECT md5(CAST(number AS text)), CAST(:at AS timestamptz), 'open', 'shop', number
FROM generate_series(1, CAST(:rows AS int)) AS number""")
BUSY_SESSIONS = text("""
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND (xact_start IS NOT NULL OR state = 'active')
  AND backend_type = 'client backend'""")


@pytest.fixture
async def harness(engine: AsyncEngine) -> StatsHarness:
    async with engine.begin() as connection:
        await connection.execute(ROWS_OF_ONE_HOUR, {"at": NOON, "rows": ROWS})
    return StatsHarness(engine, NOON, package("shop"))


@contextlib.asynccontextmanager
async def reading(harness: StatsHarness, form: str, stall_seconds: float = 60.0) -> AsyncGenerator[SlowReader]:
    """A client that has read the first byte of an export. The rest does not fit into the buffers."""
    async with serving(harness.app("secret"), stall_seconds, send_buffer=4096) as url:
        reader = SlowReader(url, f"/api/v1/exports/history.{form}?by=hour&each=profile", KEY)
        with contextlib.closing(reader):
            assert await reader.start() == b"H"
            yield reader


def running() -> float | None:
    return REGISTRY.get_sample_value("spreader_running_exports")


def ended(result: str) -> float:
    value = REGISTRY.get_sample_value("spreader_exports_total", {"result": result})
    assert value is not None
    return value


def files_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("form", ["csv", "xlsx", "parquet"])
async def test_a_client_that_pauses_holds_no_connection_and_gets_the_whole_file(
    harness: StatsHarness, engine: AsyncEngine, form: str
) -> None:
    complete = ended("complete")
    async with reading(harness, form) as reader:
        async with asyncio.timeout(30), engine.connect() as connection:
            session = await connection.execution_options(isolation_level="AUTOCOMMIT")
            while await session.scalar(BUSY_SESSIONS) > 0:
                await asyncio.sleep(0.01)
        assert running() == 1
        body, is_complete = await reader.rest()
    assert is_complete
    assert (running(), ended("complete")) == (0, complete + 1)
    if form == "csv":
        assert len({line for line in body.split(b"\r\n") if line.startswith(b"2026-03-01T12")}) == ROWS


@pytest.mark.parametrize("form", ["csv", "xlsx", "parquet"])
async def test_if_the_database_fails_in_the_middle_the_client_sees_an_incomplete_file(
    harness: StatsHarness, engine: AsyncEngine, form: str
) -> None:
    failed = ended("failed")
    async with reading(harness, form) as reader:
        async with engine.begin() as connection:
            await connection.execute(text("ALTER TABLE stats.hour RENAME TO away"))
        try:
            _, is_complete = await reader.rest()
        finally:
            async with engine.begin() as connection:
                await connection.execute(text("ALTER TABLE stats.away RENAME TO hour"))
    assert not is_complete
    assert (running(), ended("failed")) == (0, failed + 1)


@pytest.mark.parametrize("form", ["csv", "xlsx", "parquet"])
async def test_a_client_that_goes_away_leaves_nothing(
    harness: StatsHarness, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    abandoned = ended("abandoned")
    async with reading(harness, form) as reader:
        reader.close()
        await until(lambda: running() == 0)
    assert ended("abandoned") == abandoned + 1
    assert files_in(tmp_path) == []


async def test_a_client_that_reads_nothing_for_too_long_is_cut_and_sees_an_incomplete_file(
    harness: StatsHarness,
) -> None:
    async with reading(harness, "csv", stall_seconds=0.2) as reader:
        await until(lambda: running() == 0)
        _, is_complete = await reader.rest()
    assert not is_complete
