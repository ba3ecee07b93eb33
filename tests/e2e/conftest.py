"""The whole systems of the black-box tests, one at a time: first by the wall's clock, then with days that fly."""

from collections.abc import AsyncGenerator, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from e2e.begun import BEGUN, FIRST
from e2e.refusals import Case
from e2e.running import Answer, Running

SPEEDS = {"live": 1.0, "fast": 1_200.0}  # fast: a day in 72 seconds


@dataclass
class Stage:
    """The system that runs now; another one is started when it is asked for, and this one stopped."""

    folder: Path
    wanted: Collection[str]
    """The campaigns that the tests of this run look at."""
    shown: str | None = None
    system: Running | None = None
    begun: dict[str, Any] = field(default_factory=dict[str, Any])

    async def show(self, name: str) -> Running:
        if self.system is None or self.shown != name:
            await self.clear()
            self.shown, self.system = name, Running(self.folder / name, SPEEDS[name])
            await self.system.start()
            first = FIRST.get(name)
            if first is not None and first in self.wanted:
                await self.begin(first)
        return self.system

    async def begin(self, campaign: str) -> Any:
        """Once; answers what its tests look at."""
        assert self.system is not None
        if campaign not in self.begun:
            self.begun[campaign] = await BEGUN[campaign](self.system)
        return self.begun[campaign]

    async def clear(self) -> None:
        system, self.system = self.system, None
        if system is not None:
            assert await system.stop() == 0


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of one system one after the other: each system is started once."""
    together = sorted((item for item in items if _system(item)), key=_system)
    if not together:
        return
    last = max(number for number, item in enumerate(items) if _system(item))
    others = [(number, item) for number, item in enumerate(items) if not _system(item)]
    before, after = [i for n, i in others if n < last], [i for n, i in others if n > last]
    items[:] = [*before, *together, *after]


def _system(item: pytest.Item) -> int:
    """0: needs none; the tests by the wall's clock come first."""
    names = _fixtures(item)
    return 2 if "fast" in names else 1 if "live" in names else 0


def _fixtures(item: pytest.Item) -> list[str]:
    return getattr(item, "fixturenames", [])


@pytest.fixture(scope="session")
async def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    wanted = {name for item in request.session.items for name in _fixtures(item)}
    stage = Stage(tmp_path_factory.mktemp("stage"), wanted)
    try:
        yield stage
    finally:
        await stage.clear()


@pytest.fixture
async def live(stage: Stage) -> Running:
    """By the wall's clock."""
    return await stage.show("live")


@pytest.fixture
async def fast(stage: Stage) -> Running:
    """Twelve hundred times as fast."""
    return await stage.show("fast")


@pytest.fixture
async def refused(stage: Stage, live: Running) -> dict[str, Case]:
    return await stage.begin("refused")


@pytest.fixture
async def thousand(stage: Stage, fast: Running) -> Answer:
    return await stage.begin("thousand")
