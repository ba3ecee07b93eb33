"""Connections to Postgres: few of them do the work, and a rehearsal prepares the statements of all of them."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.runtime.postgres import autocommit, create_engine
from spreader.runtime.rehearsal import free_connections
from spreader.settings import Settings
from spreader.testing import prepared_sql

pytestmark = pytest.mark.postgres

STATEMENT = text("SELECT pg_backend_pid() AS rehearsed")
CONNECTIONS = 3


@pytest.fixture
async def engine(database_url: str) -> AsyncGenerator[AsyncEngine]:
    """An engine with some open connections that are not in use."""
    engine = create_engine(Settings(database_url=database_url), "test")
    async with AsyncExitStack() as stack:
        for _ in range(CONNECTIONS):
            await stack.enter_async_context(engine.connect())
    yield engine
    await engine.dispose()


async def test_one_statement_after_the_other_uses_one_connection(engine: AsyncEngine) -> None:
    """Dies when the pool takes its connections by turns: each would have to prepare each statement."""
    used = set[int]()
    for _ in range(2 * CONNECTIONS):
        async with autocommit(engine) as connection:
            used.add((await connection.execute(STATEMENT)).scalar_one())
    assert len(used) == 1


async def test_after_a_rehearsal_no_connection_prepares_the_statement(engine: AsyncEngine) -> None:
    with prepared_sql() as prepared:
        async with free_connections(engine) as connections:
            for connection in connections:
                await connection.execute(STATEMENT)
        assert len(connections) == len(prepared) == CONNECTIONS
        async with AsyncExitStack() as stack:
            for _ in range(CONNECTIONS):
                connection = await stack.enter_async_context(autocommit(engine))
                await connection.execute(STATEMENT)
    assert len(prepared) == CONNECTIONS
