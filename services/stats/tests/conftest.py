"""Fixtures of stats: its tables."""

from collections.abc import AsyncGenerator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from local.testbed.databases import MigratedDatabases


@pytest.fixture
async def engine(databases: MigratedDatabases) -> AsyncGenerator[AsyncEngine]:
    async with databases.of("stats") as engine:
        yield engine
