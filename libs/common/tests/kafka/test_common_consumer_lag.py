"""Consumer lag on a real Kafka: unhandled records and the age of the oldest."""

import asyncio
import time
from collections.abc import Callable, Sequence

import pytest
from prometheus_client import REGISTRY
from topic_harness import TOPIC, TopicHarness, alert

from spreader.clock import Clock
from spreader.contract.events import Alert
from spreader.kafka.client import KafkaBus, create_broker
from spreader.kafka.component import KafkaComponent
from spreader.kafka.guarded_consumer import GuardedConsumer, Received
from spreader.runtime.probe import ANSWER_SECONDS

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


async def test_a_consumer_that_fetches_what_it_lacked_is_no_longer_behind(harness: TopicHarness) -> None:
    """Dies when newer records count: under load, a consumer would seem to be behind for ever, and stats would evaluate
    no profile."""
    slow = Slow()
    component = await harness.join(slow)
    await component.stop_checks()
    for number in range(2):
        before = time.monotonic()
        await harness.put(alert(2 * number))
        await slow.begun.wait()
        await harness.put(alert(2 * number + 1))  # it is not fetched before the handler returns
        await component.check()
        assert 0 < component.behind_seconds <= time.monotonic() - before
        slow.gate.set()
        await harness.wait_until_consumed()
        slow.gate.clear()
        slow.begun.clear()
    await component.check()
    assert component.behind_seconds == 0


async def test_a_check_of_many_idle_readers_is_answered_at_once(harness: TopicHarness) -> None:
    """Each request for an end over a reader's own connection would wait for the long poll, half a second each."""

    async def ignore(_: Sequence[Received[Alert]]) -> None: ...

    broker = create_broker(harness.settings, "test")
    bus = KafkaBus(broker, "test", Clock())
    consumers = [GuardedConsumer(f"{harness.group}-{number}", ignore, (Alert,), bus) for number in range(8)]
    for consumer in consumers:
        consumer.subscribe(broker, harness.settings)
    component = KafkaComponent(broker, harness.settings, consumers)
    await component.start()
    await component.stop_checks()
    try:
        seconds = list[float]()
        for _ in range(5):
            began = time.monotonic()
            await component.check()
            seconds.append(time.monotonic() - began)
        assert min(seconds) < ANSWER_SECONDS  # with the fault, each check takes four seconds
    finally:
        await component.stop()


async def test_a_consumer_that_has_lost_its_group_needs_a_restart(harness: TopicHarness) -> None:
    before = asyncio.all_tasks()
    component = await harness.join(Slow())
    assert (component.not_ready_reason(), component.is_live()) == (None, True)
    (task,) = [task for task in asyncio.all_tasks() - before if "_coordination_routine" in repr(task)]
    task.cancel()
    await asyncio.wait([task])
    assert f"no longer a member of the group {harness.group}" in (component.not_ready_reason() or "")
    assert not component.is_live()
