"""Outages of real servers: no acknowledged record is lost, readiness reports them, and no restart is needed."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress

import pytest
from sqlalchemy import text
from topic_harness import NOON, TopicHarness, alert

from local.testbed.workbench import Workbench
from spreader.contract.events import Alert
from spreader.kafka.bus import PublishFailed
from spreader.kafka.client import KafkaBus, create_broker
from spreader.kafka.component import KafkaComponent
from spreader.kafka.guarded_consumer import Received
from spreader.runtime.postgres import create_engine
from spreader.runtime.postgres_component import PostgresComponent
from spreader.runtime.service import Service
from spreader.settings import Settings

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]

PATIENCE_SECONDS = 90


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.02)


class Tally:
    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()

    async def __call__(self, batch: Sequence[Received[Alert]]) -> None:
        self.seen.update(each.event.alert_id for each in batch)


async def publish_until(bus: KafkaBus, enough: asyncio.Event) -> set[str]:
    """Publish numbered alerts without pause; returns the ids that Kafka has acknowledged."""
    acknowledged: set[str] = set()
    number = 0
    while not enough.is_set():
        number += 1
        with suppress(PublishFailed):
            await bus.publish(alert(number))
            acknowledged.add(f"alr_{number}")
    return acknowledged


async def test_a_broker_killed_under_load_loses_nothing_and_is_reconnected(
    harness: TopicHarness, servers: Workbench
) -> None:
    tally, enough = Tally(), asyncio.Event()
    part = await harness.join(tally)
    broker = create_broker(harness.settings, "writer", request_timeout_ms=5_000)
    writer = KafkaComponent(broker, harness.settings)
    await writer.start()
    publishing = asyncio.create_task(publish_until(KafkaBus(broker, "writer", lambda: NOON), enough))
    await until(lambda: len(tally.seen) > 50)
    await asyncio.to_thread(servers.kafka.kill)
    await until(lambda: part.not_ready_reason() is not None)
    assert part.is_live()
    await asyncio.to_thread(servers.kafka.start)
    await until(lambda: part.not_ready_reason() is None and writer.not_ready_reason() is None)
    seen_before = len(tally.seen)
    await until(lambda: len(tally.seen) > seen_before + 50)
    enough.set()
    acknowledged = await publishing
    await until(lambda: acknowledged <= set(tally.seen))
    await writer.stop()


async def test_a_service_that_starts_before_its_broker_waits_and_reports_it(
    harness: TopicHarness, servers: Workbench
) -> None:
    tally = Tally()
    part = await harness.join(tally)
    await harness.leave(part)
    await harness.put(alert(1))
    await asyncio.to_thread(servers.kafka.kill)
    service = Service("test", [part])
    starting = asyncio.create_task(service.start())
    try:
        await until(lambda: "cannot start" in service.not_ready_reasons().get("kafka", ""))
    finally:
        await asyncio.to_thread(servers.kafka.start)
    await starting
    assert service.not_ready_reasons() == {}
    await until(lambda: tally.seen["alr_1"] == 1)
    await service.stop()


@pytest.mark.postgres
async def test_a_restarted_database_is_reconnected(database_url: str, servers: Workbench) -> None:
    engine = create_engine(Settings(database_url=database_url), "spreader")
    part = PostgresComponent(engine, "spreader")
    part.start_checks()
    await until(lambda: part.not_ready_reason() is None)
    await asyncio.to_thread(servers.postgres.kill)
    await until(lambda: part.not_ready_reason() is not None)
    assert part.is_live()
    await asyncio.to_thread(servers.postgres.start)
    await until(lambda: part.not_ready_reason() is None)
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT 1"))).scalar_one() == 1
    await part.stop()
