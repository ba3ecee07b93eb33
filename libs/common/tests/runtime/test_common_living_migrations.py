"""Migrations of a living database: they block no writer, wait as long as it takes, and continue after a failure."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.runtime.migrations import runner
from spreader.runtime.migrations.runner import Scripts, migrate
from spreader.runtime.postgres import create_engine
from spreader.runtime.postgres_component import PostgresComponent
from spreader.runtime.service import Service
from spreader.settings import Settings

pytestmark = pytest.mark.postgres

DEADLINE_SECONDS = 30
HEADER = '"""A step."""\nfrom alembic import op\nfrom spreader.runtime.migrations.indexes import {helper}\n'
TABLES = """
revision = "0001"
down_revision = None
def upgrade() -> None:
    op.execute("CREATE TABLE depot.shelf (name text PRIMARY KEY, note text NOT NULL DEFAULT '')")
    op.execute("INSERT INTO depot.shelf (name) SELECT 'shelf ' || i FROM generate_series(1, 1000) AS i")
"""
NEXT = 'revision = "0002"\ndown_revision = "0001"\ndef upgrade() -> None:\n    '
COLUMN = "op.execute('ALTER TABLE depot.shelf ADD COLUMN height int')\n"
SLOW = "op.execute('SELECT pg_sleep(0.5)')\n"
INDEX = "create_index_concurrently('depot.shelf_note', 'shelf (note)')\n"
UNIQUE = "create_index_concurrently('depot.shelf_note', 'shelf (note)', unique=True)\n"
DROP = "drop_index_concurrently('depot.shelf_note')\n"


@pytest.fixture
def migrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The migrations of a service that exists for this test only."""
    folder = tmp_path / "depot" / "migrations"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    (folder / "0001_tables.py").write_text(HEADER.format(helper="create_index_concurrently") + TABLES)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "depot", raising=False)
    for name in ("LOOK_SECONDS", "TURN_SECONDS", "PAUSE_SECONDS"):
        monkeypatch.setattr(runner, name, 0.05)
    monkeypatch.setattr("spreader.runtime.postgres.MIGRATION_LOCK_MS", 50)
    return folder


@pytest.fixture
async def engine(database_url: str) -> AsyncGenerator[AsyncEngine]:
    engine = create_engine(Settings(database_url=database_url), "depot")
    yield engine
    await engine.dispose()


def add_step(migrations: Path, body: str) -> None:
    helper = "drop_index_concurrently" if body == DROP else "create_index_concurrently"
    (migrations / "0002_step.py").write_text(HEADER.format(helper=helper) + NEXT + body)


async def answer(engine: AsyncEngine, question: str) -> list[tuple[object, ...]]:
    async with engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(text(question))]


@contextlib.asynccontextmanager
async def transaction(engine: AsyncEngine, statement: str) -> AsyncGenerator[None]:
    """A transaction of the older version that stays open."""
    async with engine.begin() as connection:
        await connection.execute(text(statement))
        yield


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not await is_so():
            await asyncio.sleep(0.01)


INDEXES = """
SELECT indisvalid, indisunique FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE relname = 'shelf_note'"""


async def test_a_long_statement_is_not_cut_by_any_timeout(
    engine: AsyncEngine, migrations: Path, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    monkeypatch.setattr("spreader.runtime.postgres.STATEMENT_MS", 100)
    hasty = create_engine(Settings(database_url=database_url), "depot")
    add_step(migrations, SLOW)
    await migrate(hasty, "depot")
    assert await answer(engine, "SELECT version_num FROM depot.migration") == [("0002",)]
    await hasty.dispose()


async def test_a_lock_is_awaited_only_briefly_so_that_nobody_queues_behind(
    engine: AsyncEngine, migrations: Path
) -> None:
    await migrate(engine, "depot")
    add_step(migrations, COLUMN)
    reports: list[str] = []
    async with transaction(engine, "SELECT count(*) FROM depot.shelf"):  # its lock excludes ALTER TABLE
        migrating = asyncio.create_task(migrate(engine, "depot", reports.append))

        async def tried_again() -> bool:
            return sum("a table is in use" in report for report in reports) >= 2

        await until(tried_again)
        assert len(await answer(engine, "SELECT name FROM depot.shelf WHERE name = 'shelf 1'")) == 1
        assert not migrating.done()
    await migrating
    assert await answer(engine, "SELECT DISTINCT height FROM depot.shelf") == [(None,)]


async def test_an_index_is_built_while_others_write_and_says_whom_it_waits_for(
    engine: AsyncEngine, migrations: Path
) -> None:
    await migrate(engine, "depot")
    add_step(migrations, INDEX)
    reports: list[str] = []
    async with transaction(engine, "INSERT INTO depot.shelf (name) VALUES ('open')"):
        migrating = asyncio.create_task(migrate(engine, "depot", reports.append))

        async def says_so() -> bool:
            return any("CREATE INDEX CONCURRENTLY" in report and "it waits for process" in report for report in reports)

        await until(says_so)
        async with transaction(engine, "INSERT INTO depot.shelf (name) VALUES ('meanwhile')"):
            pass
    await migrating
    assert await answer(engine, INDEXES) == [(True, False)]
    assert not any("a table is in use" in report for report in reports), "a wait of the index was cut short"


async def test_an_invalid_index_of_a_failed_try_is_built_again(engine: AsyncEngine, migrations: Path) -> None:
    await migrate(engine, "depot")
    add_step(migrations, UNIQUE)
    with pytest.raises(DBAPIError, match="could not create unique index"):
        await migrate(engine, "depot")
    assert await answer(engine, INDEXES) == [(False, True)]
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE depot.shelf SET note = name"))
    await migrate(engine, "depot")
    assert await answer(engine, INDEXES) == [(True, True)]


async def test_a_finished_index_is_kept_when_its_migration_begins_again(engine: AsyncEngine, migrations: Path) -> None:
    """As after a death between the index and the commit of the migration."""
    await migrate(engine, "depot")
    async with engine.begin() as connection:
        await connection.execute(text("CREATE INDEX shelf_note ON depot.shelf (note)"))
    before = await answer(engine, "SELECT 'depot.shelf_note'\\:\\:regclass\\:\\:oid")
    add_step(migrations, INDEX)
    await migrate(engine, "depot")
    assert await answer(engine, "SELECT 'depot.shelf_note'\\:\\:regclass\\:\\:oid") == before
    assert await answer(engine, "SELECT version_num FROM depot.migration") == [("0002",)]


async def test_an_index_is_dropped_while_others_write(engine: AsyncEngine, migrations: Path) -> None:
    await migrate(engine, "depot")
    async with engine.begin() as connection:
        await connection.execute(text("CREATE INDEX shelf_note ON depot.shelf (note)"))
    add_step(migrations, DROP)
    await migrate(engine, "depot")
    assert await answer(engine, INDEXES) == []


IN_TRANSACTION = """
SELECT count(*) FROM pg_stat_activity
WHERE application_name = 'spreader-depot-migration' AND state = 'idle in transaction'"""


async def test_another_instance_waits_outside_a_transaction_and_says_for_what(
    engine: AsyncEngine, migrations: Path
) -> None:
    """A transaction that waits would be waited for by the index, which holds what it waits for."""
    await migrate(engine, "depot")
    add_step(migrations, INDEX)
    second = Service("depot", [PostgresComponent(engine, "depot")])
    async with transaction(engine, "INSERT INTO depot.shelf (name) VALUES ('open')"):
        first = asyncio.create_task(migrate(engine, "depot"))

        async def builds() -> bool:
            return await answer(engine, INDEXES) == [(False, False)]

        await until(builds)
        starting = asyncio.create_task(second.start())

        async def says_so() -> bool:
            reason = second.not_ready_reasons().get("postgres", "")
            return "waiting for another instance that migrates" in reason and "CREATE INDEX CONCURRENTLY" in reason

        await until(says_so)
        assert await answer(engine, IN_TRANSACTION) == [(0,)]
        assert not first.done()
    await first
    await starting
    assert second.not_ready_reasons() == {}
    assert await answer(engine, INDEXES) == [(True, False)]
    await second.stop()


async def test_a_restart_in_the_middle_continues(engine: AsyncEngine, migrations: Path) -> None:
    await migrate(engine, "depot")
    add_step(migrations, INDEX)
    async with transaction(engine, "INSERT INTO depot.shelf (name) VALUES ('open')"):
        stopped = asyncio.create_task(migrate(engine, "depot"))

        async def builds() -> bool:
            return await answer(engine, INDEXES) == [(False, False)]

        await until(builds)
        stopped.cancel()
        await asyncio.wait({stopped})
        assert stopped.cancelled()
        migrating = asyncio.create_task(migrate(engine, "depot"))
    await migrating
    assert await answer(engine, INDEXES) == [(True, False)]
    assert await answer(engine, "SELECT version_num FROM depot.migration") == [("0002",)]


async def test_a_lost_connection_ends_the_migration(
    engine: AsyncEngine, migrations: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The statement has no time-out, and a server that lost power closes no connection: here its answers stay away."""
    monkeypatch.setattr(runner, "LOST_SECONDS", 0.3)
    await migrate(engine, "depot")
    add_step(migrations, SLOW.replace("0.5", "3600"))
    monkeypatch.setattr("spreader.runtime.migrations.sql.OF_PROCESS", text("SELECT 1 / 0"))
    async with asyncio.timeout(DEADLINE_SECONDS):
        with pytest.raises(ConnectionError, match="the connection of the migration is lost"):
            await migrate(engine, "depot")


async def test_the_previous_version_starts_with_the_schema_of_the_next(engine: AsyncEngine, migrations: Path) -> None:
    """It is restarted while a newer instance has migrated already."""
    add_step(migrations, COLUMN)
    await migrate(engine, "depot")
    (migrations / "0002_step.py").unlink()
    await migrate(engine, "depot")
    assert await answer(engine, "SELECT version_num FROM depot.migration") == [("0002",)]


async def test_a_start_without_migrations_waits_for_nobody(engine: AsyncEngine, migrations: Path) -> None:
    await migrate(engine, "depot")
    async with transaction(engine, "LOCK TABLE depot.position IN ACCESS SHARE MODE"):
        async with asyncio.timeout(DEADLINE_SECONDS):
            await migrate(engine, "depot")


def test_pending_migrations_are_those_after_the_version() -> None:
    scripts = Scripts("depot", ["0001", "0002", "0003"])
    assert scripts.after(None) == ["0001", "0002", "0003"]
    assert scripts.after("0002") == ["0003"]
    assert list(scripts.after("0003")) == []
    assert list(scripts.after("0004")) == []
