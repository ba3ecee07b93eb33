"""Systems of the black-box tests: one runs at a time; first in real time, then with the clock sped up."""

import asyncio
from collections.abc import AsyncGenerator, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from e2e.campaigns import CAMPAIGNS, STARTED_WITH_SYSTEM
from e2e.failure_cases import FailureCase
from e2e.system import Response, RunningSystem

SPEEDS = {"live": 1.0, "fast": 1_200.0}  # fast: a day takes 72 seconds


@dataclass
class CurrentSystem:
    """The system that is running. Switching to another one stops it."""

    folder: Path
    fixtures: Collection[str]
    """The fixtures that the tests of this run use."""
    name: str | None = None
    system: RunningSystem | None = None
    campaigns: dict[str, asyncio.Task[Any]] = field(default_factory=dict[str, asyncio.Task[Any]])
    """The campaigns that were started. They send their requests while other tests run."""

    async def switch_to(self, name: str) -> RunningSystem:
        if self.system is None or self.name != name:
            await self.stop()
            self.name, self.system = name, RunningSystem(self.folder / name, SPEEDS[name])
            await self.system.start()
            first = STARTED_WITH_SYSTEM.get(name)
            if first is not None and first in self.fixtures:
                self._start_campaign(first)
        return self.system

    async def campaign(self, name: str) -> Any:
        """The result of a campaign, which starts now unless it was started before."""
        self._start_campaign(name)
        return await self.campaigns[name]

    def _start_campaign(self, name: str) -> None:
        assert self.system is not None
        if name not in self.campaigns:
            self.campaigns[name] = asyncio.create_task(CAMPAIGNS[name](self.system))

    async def stop(self) -> None:
        system, self.system = self.system, None
        for campaign in self.campaigns.values():
            campaign.cancel()  # only if no test has waited for it
        if system is not None:
            assert await system.stop() == 0


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Group the tests by the system that they use, so that each system starts once."""
    grouped = sorted((item for item in items if _system_order(item)), key=_system_order)
    if not grouped:
        return
    last = max(number for number, item in enumerate(items) if _system_order(item))
    others = [(number, item) for number, item in enumerate(items) if not _system_order(item)]
    before, after = [i for n, i in others if n < last], [i for n, i in others if n > last]
    items[:] = [*before, *grouped, *after]


def _system_order(item: pytest.Item) -> int:
    """0: the test uses neither system; 1: `live`; 2: `fast`. Tests that kill processes at random come after the others
    of their system."""
    names = _fixtures(item)
    system = 2 if "fast" in names else 1 if "live" in names else 0
    return 2 * system + bool({"loaded", "fleet"} & {*names})


def _fixtures(item: pytest.Item) -> list[str]:
    return getattr(item, "fixturenames", [])


@pytest.fixture(scope="session")
async def current_system(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[CurrentSystem]:
    fixtures = {name for item in request.session.items for name in _fixtures(item)}
    current = CurrentSystem(tmp_path_factory.mktemp("systems"), fixtures)
    try:
        yield current
    finally:
        await current.stop()


@pytest.fixture
async def live(current_system: CurrentSystem) -> RunningSystem:
    """A system in real time."""
    return await current_system.switch_to("live")


@pytest.fixture
async def fast(current_system: CurrentSystem) -> RunningSystem:
    """A system whose clock runs 1,200 times as fast."""
    return await current_system.switch_to("fast")


@pytest.fixture
async def failure_cases(current_system: CurrentSystem, live: RunningSystem) -> dict[str, FailureCase]:
    return await current_system.campaign("failure_cases")


@pytest.fixture
async def thousand(current_system: CurrentSystem, fast: RunningSystem) -> Response:
    return await current_system.campaign("thousand")
