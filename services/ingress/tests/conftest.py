"""Fixtures of the ingress: its own migrated database, and the service with it."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.testing import System, running
from local.tables import Tables


@pytest.fixture
async def engine(tables: Tables) -> AsyncGenerator[AsyncEngine]:
    async with tables.of("ingress") as engine:
        yield engine


@pytest.fixture
async def system(engine: AsyncEngine) -> AsyncGenerator[System]:
    async with running(engine, datetime(2026, 6, 1, 12, tzinfo=UTC)) as system:
        yield system
