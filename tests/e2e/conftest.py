"""Two whole systems for the black-box tests: one by the wall's clock, one whose days pass in a minute."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from e2e.running import Running

FAST = 2_400.0


@asynccontextmanager
async def running(folder: Path, speed: float) -> AsyncGenerator[Running]:
    system = Running(folder, speed)
    try:
        await system.start()
        yield system
    finally:
        assert await system.stop() == 0


@pytest.fixture(scope="session")
async def live(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Running]:
    """By the wall's clock."""
    async with running(tmp_path_factory.mktemp("live") / "home", 1.0) as system:
        yield system


@pytest.fixture(scope="session")
async def fast(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Running]:
    """A day in 36 seconds."""
    async with running(tmp_path_factory.mktemp("fast") / "home", FAST) as system:
        yield system
