"""Consumer lag on a real Kafka: unhandled records and the age of the oldest."""

import asyncio
from collections.abc import Callable, Sequence

import pytest
from prometheus_client import REGISTRY
from topic_harness import TOPIC, TopicHarness, alert

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


def shown(name: str, harness: TopicHarness) -> float | None:
    return REGISTRY.get_sample_value(name, {"group": harness.group, "topic": TOPIC})


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.02)


async def test_unhandled_records_are_the_lag_until_they_are_handled(harness: TopicHarness) -> None:
    slow = Slow()
    await harness.join(slow)
    assert shown("spreader_consumer_lag_records", harness) == 0
    assert shown("spreader_dead_letters_records_total", harness) is None  # that one is by group alone
    assert REGISTRY.get_sample_value("spreader_dead_letters_records_total", {"group": harness.group}) == 0
    await harness.put(alert(1))
    await slow.begun.wait()
    await harness.put(alert(2), alert(3))
    await until(lambda: shown("spreader_consumer_lag_records", harness) == 3)
    await until(lambda: (shown("spreader_consumer_oldest_seconds", harness) or 0) > 1)
    slow.gate.set()
    await until(lambda: shown("spreader_consumer_lag_records", harness) == 0)
    await until(lambda: shown("spreader_consumer_oldest_seconds", harness) == 0)
