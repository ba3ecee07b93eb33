"""Lag on real Kafka: what waits and how long the oldest has, while it is in work and when it is done."""

import asyncio
from collections.abc import Callable, Sequence

import pytest
from kafka_post import TOPIC, Post, alert
from prometheus_client import REGISTRY

from spreader.contract.events import Alert
from spreader.kafka.guarded_consumer import Received

pytestmark = pytest.mark.kafka

PATIENCE_SECONDS = 60


class Slow:
    """A handler that does nothing before the gate opens."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.begun = asyncio.Event()

    async def __call__(self, batch: Sequence[Received[Alert]]) -> None:
        self.begun.set()
        await self.gate.wait()


def shown(name: str, post: Post) -> float | None:
    return REGISTRY.get_sample_value(name, {"group": post.group, "topic": TOPIC})


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.02)


async def test_records_in_work_and_behind_it_are_the_lag_until_they_are_handled(post: Post) -> None:
    slow = Slow()
    await post.member(slow)
    assert shown("spreader_consumer_lag_records", post) == 0
    assert shown("spreader_dead_letters_records_total", post) is None  # that one is by group alone
    assert REGISTRY.get_sample_value("spreader_dead_letters_records_total", {"group": post.group}) == 0
    await post.put(alert(1))
    await slow.begun.wait()
    await post.put(alert(2), alert(3))
    await until(lambda: shown("spreader_consumer_lag_records", post) == 3)
    await until(lambda: (shown("spreader_consumer_oldest_seconds", post) or 0) > 1)
    slow.gate.set()
    await until(lambda: shown("spreader_consumer_lag_records", post) == 0)
    await until(lambda: shown("spreader_consumer_oldest_seconds", post) == 0)
