"""The whole systems of the black-box tests, one at a time: first by the wall's clock, then with days that fly."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import pytest
from e2e.running import Answer, Running, recipients

SPEEDS = {"live": 1.0, "fast": 1_200.0}  # fast: a day in 72 seconds


@dataclass
class Stage:
    """The system that runs now; another one is started when it is asked for, and this one stopped."""

    folder: Path
    shown: str | None = None
    system: Running | None = None
    thousand: Answer | None = None

    async def show(self, name: str) -> Running:
        if self.system is None or self.shown != name:
            await self.clear()
            self.shown, self.system = name, Running(self.folder / name, SPEEDS[name])
            await self.system.start()
        return self.system

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
    names: list[str] = getattr(item, "fixturenames", [])
    return 2 if "fast" in names else 1 if "live" in names else 0


@pytest.fixture(scope="session")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    stage = Stage(tmp_path_factory.mktemp("stage"))
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
async def thousand(stage: Stage, fast: Running) -> Answer:
    """A thousand recipients over four profiles by the default limits: they take days, which pass during other tests."""
    if stage.thousand is None:
        await fast.package("thousand", 4, timezone="Africa/Cairo", rest_window={"start": "01:00", "hours": 4})
        body = {"type": "text", "text": "Hello", "recipients": recipients(1_000)}
        stage.thousand = await fast.ask("POST", "/packages/thousand/messages/open", body)
    return stage.thousand
