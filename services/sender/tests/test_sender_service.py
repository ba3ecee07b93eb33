"""Assembled sender on a real Kafka and Postgres, with a fake gateway."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from sender.app import build
from sender.settings import SenderSettings
from sender.testing import FakeGateway, profile, released, reply
from spreader.clock import wall_now
from spreader.contract.configuration import Package
from spreader.contract.events import (
    DeliveryOutcome,
    DeliveryReleased,
    Event,
    MessageCancelled,
    PackageConfigured,
    ReplySettled,
)
from spreader.kafka.envelope import decode, encode, read_headers
from spreader.settings import Settings

pytestmark = [pytest.mark.kafka, pytest.mark.postgres]

TIMEOUT_SECONDS = 60
POLL_SECONDS = 0.05


@asynccontextmanager
async def reading(servers: str) -> AsyncGenerator[AIOKafkaConsumer]:
    """A consumer of the sender's two output topics from their beginning; message ids identify this run's events."""
    topics = (DeliveryOutcome.topic, ReplySettled.topic)
    consumer = AIOKafkaConsumer(*topics, bootstrap_servers=servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def write(servers: str, *events: Event) -> None:
    async with AIOKafkaProducer(bootstrap_servers=servers, acks="all") as producer:
        for event in events:
            record = encode(event, "test", wall_now())
            headers = [(name, value.encode()) for name, value in record.headers.items()]
            await producer.send_and_wait(record.topic, record.body, key=record.key, headers=headers)


def release_of(name: str, run: str) -> DeliveryReleased:
    send_by = wall_now() + timedelta(hours=1)
    return released(f"{name}-{run}").model_copy(update={"package_id": run, "send_by": send_by})


def fresh_deliveries(run: str) -> tuple[Event, Event]:
    """A reply and a release of this run that have not expired."""
    expires_at = wall_now() + timedelta(minutes=10)
    asked = reply(f"reply-{run}").model_copy(update={"package_id": run, "expires_at": expires_at})
    return asked, release_of("open", run)


async def wait_for_cancellation(settings: Settings, message_id: str) -> None:
    """Waits until the sender has read the cancellation of the message. At first its tables may not exist yet."""
    connection = await asyncpg.connect(settings.database_url)
    stored = "SELECT FROM sender.cancellation WHERE message_id = $1"
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while not await connection.fetchval(
                "SELECT to_regclass('sender.cancellation')::text"
            ) or not await connection.fetch(stored, message_id):
                await asyncio.sleep(POLL_SECONDS)
    finally:
        await connection.close()


async def test_both_lanes_go_from_kafka_to_the_gateway_and_back(settings: Settings, gateway: FakeGateway) -> None:
    """And a release of a message that was cancelled before does not."""
    run = settings.database_url.rpartition("/")[2]
    arguments: dict[str, Any] = settings.model_dump()
    app = build(SenderSettings(**arguments))
    package = Package(package_id=run, version=1, name=run, profiles=(profile(gateway.base_url),))
    servers = settings.kafka_bootstrap_servers
    statuses: dict[tuple[str, str], str] = {}
    async with asyncio.timeout(TIMEOUT_SECONDS), reading(servers) as consumer:
        await write(servers, PackageConfigured(package=package, at=wall_now()), *fresh_deliveries(run))
        async with app.router.lifespan_context(app):
            cancelled = MessageCancelled(package_id=run, message_id=f"cancelled-{run}", at=wall_now())
            await write(servers, cancelled)
            await wait_for_cancellation(settings, cancelled.message_id)
            await write(servers, release_of("cancelled", run))
            while len(statuses) < 4:
                record = await consumer.getone()
                event = decode(record.topic, read_headers(record.headers), record.value)
                if isinstance(event, DeliveryOutcome | ReplySettled) and event.message_id.endswith(run):
                    statuses[event.type, event.message_id] = event.status
    assert statuses.pop((DeliveryOutcome.type, f"cancelled-{run}")) == "cancelled"
    assert set(statuses.values()) == {"sent"}
    assert sorted(gateway.sent) == sorted(
        event.delivery_id for event in (reply(f"reply-{run}"), released(f"open-{run}"))
    )
    assert list(gateway.registered) == ["account-p1"]


async def test_each_process_sends_only_the_deliveries_of_its_lane(settings: Settings, gateway: FakeGateway) -> None:
    """The reply waits while only the open lane is carried, and is sent when a second process carries its lane."""
    run = settings.database_url.rpartition("/")[2]
    arguments: dict[str, Any] = settings.model_dump()
    package = Package(package_id=run, version=1, name=run, profiles=(profile(gateway.base_url),))
    servers = settings.kafka_bootstrap_servers
    asked, open_release = fresh_deliveries(run)
    async with asyncio.timeout(TIMEOUT_SECONDS), reading(servers) as consumer:
        await write(servers, PackageConfigured(package=package, at=wall_now()), asked, open_release)
        for lane in ("open", "reply"):
            app = build(SenderSettings.model_validate({**arguments, "sender_lanes": lane}))
            async with app.router.lifespan_context(app):
                assert (await outcome_of(consumer, run)).message_id == f"{lane}-{run}"
    assert gateway.sent == [delivery.delivery_id for delivery in (released(f"open-{run}"), reply(f"reply-{run}"))]


async def outcome_of(consumer: AIOKafkaConsumer, run: str) -> DeliveryOutcome:
    """The next outcome of this run."""
    while True:
        record = await consumer.getone()
        event = decode(record.topic, read_headers(record.headers), record.value)
        if isinstance(event, DeliveryOutcome) and event.message_id.endswith(run):
            return event
