"""Fixtures of the ingress: its own migrated database, and the service with it."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.testing import System, running
from local.testbed.databases import MigratedDatabases


@pytest.fixture
async def engine(databases: MigratedDatabases) -> AsyncGenerator[AsyncEngine]:
    async with databases.of("ingress") as engine:
        yield engine


@pytest.fixture
async def system(engine: AsyncEngine) -> AsyncGenerator[System]:
    async with running(engine, datetime(2026, 6, 1, 12, tzinfo=UTC)) as system:
        yield system
