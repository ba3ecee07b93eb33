"""A simulator with one profile and no reactions, on a clock that runs 600 times as fast, from 2030."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from simulator.testing import SimulatorClient, running_simulator
from spreader.clock import Clock, wall_now


@pytest.fixture
async def simulator(tmp_path: Path) -> AsyncGenerator[SimulatorClient]:
    clock = Clock(600, wall_now(), datetime(2030, 1, 1, tzinfo=UTC))
    async with running_simulator(tmp_path, clock, delivered_share=0, registration_wait_seconds=0.05) as caller:
        await caller.register()
        yield caller
