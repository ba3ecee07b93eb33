"""Fixtures of the pacer's tests: a pacer on a real Postgres."""

from collections.abc import AsyncGenerator
from datetime import timedelta

import pytest

from local.testbed.databases import MigratedDatabases
from pacer.core.policy import Margins
from pacer.testing import START, MemoryPacerConfigCache, Pacer, package
from spreader.testing import MemoryBus


@pytest.fixture
async def pacer(databases: MigratedDatabases) -> AsyncGenerator[Pacer]:
    config = MemoryPacerConfigCache(Margins(timedelta(minutes=2), timedelta(minutes=1)))
    config.configure(package())
    async with databases.of("pacer") as engine:
        yield Pacer(engine, config, MemoryBus(START))
