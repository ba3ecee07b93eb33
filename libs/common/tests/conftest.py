"""Fixtures of the common library's tests; the servers come from the root's conftest.py."""

from collections.abc import AsyncGenerator

import pytest
from topic_harness import TopicHarness, open_harness


@pytest.fixture
async def harness(kafka_servers: str, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[TopicHarness]:
    monkeypatch.setattr("spreader.kafka.guarded_consumer.BACK_OFF_FIRST_SECONDS", 0.01)
    async with open_harness(kafka_servers) as harness:
        yield harness
