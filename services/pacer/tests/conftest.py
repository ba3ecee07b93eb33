"""Fixtures of the pacer's tests: a pacer on a real Postgres."""

from collections.abc import AsyncGenerator
from datetime import timedelta

import pytest

from pacer.core.policy import Margins
from pacer.testing import START, HandDirectory, Pacer, package
from spreader.postgres import create_engine, migrate
from spreader.settings import Settings
from spreader.testing import MemoryBus


@pytest.fixture
async def pacer(database_url: str) -> AsyncGenerator[Pacer]:
    engine = create_engine(Settings(database_url=database_url), "pacer")
    await migrate(engine, "pacer")
    directory = HandDirectory(Margins(timedelta(minutes=2), timedelta(minutes=1)))
    directory.configure(package())
    yield Pacer(engine, directory, MemoryBus(START))
    await engine.dispose()
