"""Fixtures of the router: its tables."""

from collections.abc import AsyncGenerator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from local.tables import Tables


@pytest.fixture
async def engine(tables: Tables) -> AsyncGenerator[AsyncEngine]:
    async with tables.of("router") as engine:
        yield engine
