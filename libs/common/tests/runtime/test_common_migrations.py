"""Migrations on a real Postgres: run once, by whatever number of processes; and which errors are transient."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.runtime.migrations.runner import migrate
from spreader.runtime.postgres import create_engine, is_transient, statements
from spreader.settings import Settings

pytestmark = pytest.mark.postgres

FIRST = '''"""Tables."""
from alembic import op
from spreader.runtime.postgres import statements
revision = "0001"
down_revision = None
SQL = """
CREATE TABLE warehouse.shelf (name text PRIMARY KEY, note text DEFAULT 'a;b');
INSERT INTO warehouse.shelf (name) VALUES ('first');
"""
def upgrade() -> None:
    for statement in statements(SQL):
        op.execute(statement)
'''
SECOND = '''"""One more column."""
from alembic import op
revision = "0002"
down_revision = "0001"
def upgrade() -> None:
    op.execute("ALTER TABLE warehouse.shelf ADD COLUMN height int NOT NULL DEFAULT 1")
'''
BROKEN = SECOND.replace("0002", "0003").replace('"0001"', '"0002"').replace("ADD COLUMN height", "ADD COLUMN name")
PROCESS = """
import asyncio, sys
from spreader.runtime.migrations.runner import migrate
from spreader.runtime.postgres import create_engine
from spreader.settings import Settings
async def main():
    engine = create_engine(Settings(database_url=sys.argv[1]), "warehouse")
    await migrate(engine, "warehouse")
    await engine.dispose()
asyncio.run(main())
"""


@pytest.fixture
def migrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The migrations of a service that exists for this test only."""
    folder = tmp_path / "warehouse" / "migrations"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    (folder / "0001_tables.py").write_text(FIRST)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "warehouse", raising=False)
    return folder


@pytest.fixture
async def engine(database_url: str) -> AsyncGenerator[AsyncEngine]:
    engine = create_engine(Settings(database_url=database_url), "warehouse")
    yield engine
    await engine.dispose()


async def answer(engine: AsyncEngine, question: str) -> list[tuple[object, ...]]:
    async with engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(text(question))]


async def test_migrating_twice_changes_nothing(engine: AsyncEngine, migrations: Path) -> None:
    await migrate(engine, "warehouse")
    await migrate(engine, "warehouse")
    assert await answer(engine, "SELECT name, note FROM warehouse.shelf") == [("first", "a;b")]
    assert await answer(engine, "SELECT version_num FROM warehouse.migration") == [("0001",)]
    assert await answer(engine, "SELECT count(*) FROM warehouse.position") == [(0,)]


async def test_a_newer_version_runs_only_new_migrations(engine: AsyncEngine, migrations: Path) -> None:
    await migrate(engine, "warehouse")
    (migrations / "0002_height.py").write_text(SECOND)
    await migrate(engine, "warehouse")
    assert await answer(engine, "SELECT name, height FROM warehouse.shelf") == [("first", 1)]


async def test_a_migration_that_fails_leaves_those_before_it_and_nothing_of_itself(
    engine: AsyncEngine, migrations: Path
) -> None:
    (migrations / "0002_height.py").write_text(SECOND)
    (migrations / "0003_broken.py").write_text(BROKEN)
    with pytest.raises(DBAPIError, match="already exists"):
        await migrate(engine, "warehouse")
    assert await answer(engine, "SELECT version_num FROM warehouse.migration") == [("0002",)]
    (migrations / "0003_broken.py").write_text(BROKEN.replace("COLUMN name", "COLUMN width"))
    await migrate(engine, "warehouse")
    assert await answer(engine, "SELECT name, height, width FROM warehouse.shelf") == [("first", 1, 1)]


async def test_concurrent_migrations_in_one_process_run_once(engine: AsyncEngine, migrations: Path) -> None:
    await asyncio.gather(*(migrate(engine, "warehouse") for _ in range(4)))
    assert await answer(engine, "SELECT name FROM warehouse.shelf") == [("first",)]


@pytest.mark.usefixtures("migrations")
async def test_concurrent_migrations_of_four_processes_run_once(
    engine: AsyncEngine, database_url: str, tmp_path: Path
) -> None:
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    starting = (
        asyncio.create_subprocess_exec(sys.executable, "-c", PROCESS, database_url, env=environment) for _ in range(4)
    )
    processes = await asyncio.gather(*starting)
    assert await asyncio.gather(*(process.wait() for process in processes)) == [0, 0, 0, 0]
    assert await answer(engine, "SELECT name FROM warehouse.shelf") == [("first",)]


def test_a_script_is_split_where_a_line_ends_with_a_semicolon() -> None:
    script = "CREATE TABLE a (note text DEFAULT 'x;y');\n\nCREATE INDEX i\n  ON a (note);\n"
    assert statements(script) == ["CREATE TABLE a (note text DEFAULT 'x;y')", "CREATE INDEX i\n  ON a (note)"]


@pytest.mark.parametrize(
    ("statement", "passes"),
    [
        ("SELECT pg_terminate_backend(pg_backend_pid())", True),
        ("SET LOCAL statement_timeout = 1; SELECT pg_sleep(9)", True),
        ("SELECT 1 / 0", False),
        ("SELECT * FROM no_such_table", False),
        ("SELECT 'x'::int", False),
        ("SELECT CAST(2147483648 AS bigint)::int", False),
        ("SELECT 1 WHERE :word = 'NUL'", False),
        ("SELECT CAST(:number AS int)", False),
        ("SET TRANSACTION READ ONLY; CREATE TABLE t (a int)", True),
        ("CREATE TEMP TABLE t (a int UNIQUE); INSERT INTO t VALUES (1), (1)", False),
    ],
)
async def test_only_errors_of_the_server_are_transient(engine: AsyncEngine, statement: str, passes: bool) -> None:
    with pytest.raises(Exception) as met:  # noqa: PT011, PT012 - which errors these are is what is asked
        async with engine.begin() as connection:
            for each in statement.split("; "):
                await connection.execute(text(each.replace("::", "\\:\\:")), {"word": "a\x00b", "number": 2**40})
    assert is_transient(met.value) is passes


async def test_an_unreachable_server_is_a_transient_error() -> None:
    nobody = create_engine(Settings(database_url="postgresql://postgres@127.0.0.1:1/none"), "warehouse")
    with pytest.raises(OSError, match="Connect call failed") as met:
        async with nobody.connect():
            pass
    assert is_transient(met.value)


@pytest.mark.parametrize("error", [ValueError(), RuntimeError(), AssertionError(), KeyError()])
def test_a_programming_error_is_not_transient(error: Exception) -> None:
    assert not is_transient(error)


async def test_an_error_text_contains_no_parameter(engine: AsyncEngine) -> None:
    with pytest.raises(DBAPIError) as met:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT 1 / 0 WHERE :recipient <> ''"), {"recipient": "201001234567"})
    assert "201001234567" not in str(met.value)
