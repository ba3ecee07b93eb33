"""A simulator for each test, with a profile and nobody who reacts, on a clock 600 times as fast, from 2030."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from simulator.testing import Caller, serving
from spreader.clock import Clock, wall_now


@pytest.fixture
async def simulator(tmp_path: Path) -> AsyncGenerator[Caller]:
    clock = Clock(600, wall_now(), datetime(2030, 1, 1, tzinfo=UTC))
    async with serving(tmp_path, clock, delivered_share=0, registration_wait_seconds=0.05) as caller:
        await caller.register()
        yield caller
