"""Fixtures of the stats: their tables."""

from collections.abc import AsyncGenerator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from local.tables import Tables


@pytest.fixture
async def engine(tables: Tables) -> AsyncGenerator[AsyncEngine]:
    async with tables.of("stats") as engine:
        yield engine
