"""Fixtures of the ingress: a migrated database of its own, and the service around it."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.testing import System, running
from spreader.postgres import create_engine, migrate
from spreader.settings import Settings


@pytest.fixture
async def engine(database_url: str) -> AsyncGenerator[AsyncEngine]:
    engine = create_engine(Settings(database_url=database_url), "ingress")
    await migrate(engine, "ingress")
    yield engine
    await engine.dispose()


@pytest.fixture
async def system(engine: AsyncEngine) -> AsyncGenerator[System]:
    async with running(engine, datetime(2026, 6, 1, 12, tzinfo=UTC)) as system:
        yield system
