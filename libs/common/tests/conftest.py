"""Fixtures of the common library's tests; the servers come from the root's conftest.py."""

from collections.abc import AsyncGenerator

import pytest
from kafka_post import Post, opened


@pytest.fixture
async def post(kafka_servers: str, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Post]:
    monkeypatch.setattr("spreader.kafka.guarded_consumer.BACK_OFF_FIRST_SECONDS", 0.01)
    async with opened(kafka_servers) as post:
        yield post
