"""Silence of a table: how long Kafka has not answered its reads. An empty answer ends it, and so does a broker that is
back."""

import asyncio
from collections.abc import Callable

import pytest

from local.testbed.workbench import Workbench
from spreader.contract.events import ProfilePace
from spreader.kafka import batching
from spreader.kafka.table import Table
from spreader.settings import Settings

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]

PATIENCE_SECONDS = 90
SILENCE_SECONDS = 2.5
"""Longer than an idle broker needs for an empty answer to a fetch."""
WAIT_MS = 500


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.02)


async def test_only_an_absent_broker_is_silent(
    kafka_servers: str, servers: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "FETCH_WAIT_MS", WAIT_MS)
    table = Table(Settings(kafka_bootstrap_servers=kafka_servers), ProfilePace)
    assert table.silent_seconds == 0
    await table.start()
    for _ in range(2):
        await until(lambda: table.silent_seconds > 0.3)  # nothing is published, and the topic is read
        await until(lambda: table.silent_seconds < 0.2)
    servers.kafka.kill()
    try:
        await until(lambda: table.silent_seconds > SILENCE_SECONDS)
    finally:
        servers.kafka.start()
    await until(lambda: table.silent_seconds < SILENCE_SECONDS / 2)
    await table.stop()
