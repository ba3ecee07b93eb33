"""The router on a real Kafka and Postgres: a package that does not exist holds up no other package."""

import asyncio
import uuid
from collections.abc import AsyncGenerator

import pytest
from aiokafka import AIOKafkaConsumer

from router.app import build
from router.settings import RouterSettings
from spreader.clock import Clock
from spreader.contract.configuration import Gateway, Package, Profile
from spreader.contract.content import TextContent
from spreader.contract.events import (
    DeliveryOutcome,
    Event,
    OpenDeliveriesAssigned,
    OpenMessageRequested,
    PackageConfigured,
    ReplyDeliveryAssigned,
    ReplyMessageRequested,
)
from spreader.kafka.client import KafkaBus, client_arguments, create_broker
from spreader.kafka.envelope import decode, read_headers
from spreader.settings import Settings

pytestmark = [pytest.mark.kafka, pytest.mark.postgres]

NOW = Clock()
TEXT = TextContent(type="text", text="Hello")
REPLIES, OPEN_MESSAGES = 30, 4
SECONDS_MAX = 20
"""Before, one batch waited 5 s for each of its records of the unknown package."""


@pytest.fixture
async def bus(settings: Settings) -> AsyncGenerator[KafkaBus]:
    broker = create_broker(settings, "test")
    await broker.start()
    yield KafkaBus(broker, "test", NOW)
    await broker.stop()


def package(package_id: str) -> Package:
    gateway = Gateway(driver="simulator", base_url="http://127.0.0.1:1", account=package_id)
    profile = Profile(profile_id=f"{package_id}-a", name="A", phone="201000000001", gateway=gateway)
    return Package(package_id=package_id, version=3, name="Known", profiles=(profile,))


def reply(package_id: str, number: int) -> ReplyMessageRequested:
    return ReplyMessageRequested(
        package_id=package_id,
        message_id=f"{package_id}-r{number}",
        content=TEXT,
        recipient=f"2011{number:08}",
        requested_at=NOW(),
        package_version=3,
    )


def request(package_id: str, number: int) -> OpenMessageRequested:
    return OpenMessageRequested(
        package_id=package_id,
        message_id=f"{package_id}-o{number}",
        content=TEXT,
        recipients=(f"2011{number:08}",),
        requested_at=NOW(),
        package_version=3,
    )


def requests(package_id: str) -> list[ReplyMessageRequested | OpenMessageRequested]:
    replies = [reply(package_id, number) for number in range(REPLIES)]
    return [*replies, *(request(package_id, number) for number in range(OPEN_MESSAGES))]


async def until_seen(settings: Settings, wanted: set[str]) -> set[str]:
    """Read assignments and outcomes from the beginning until all wanted messages have one; returns those rejected."""
    topics = (OpenDeliveriesAssigned.topic, ReplyDeliveryAssigned.topic, DeliveryOutcome.topic)
    rejected: set[str] = set()
    missing = set(wanted)
    consumer = AIOKafkaConsumer(*topics, **client_arguments(settings), auto_offset_reset="earliest")
    await consumer.start()
    try:
        async with asyncio.timeout(SECONDS_MAX):
            while missing:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    for record in records:
                        event: Event = decode(record.topic, read_headers(record.headers), record.value)
                        assert isinstance(event, OpenDeliveriesAssigned | ReplyDeliveryAssigned | DeliveryOutcome)
                        missing.discard(event.message_id)
                        if isinstance(event, DeliveryOutcome) and event.status == "rejected":
                            rejected.add(event.message_id)
    finally:
        await consumer.stop()
    return rejected & wanted


async def test_records_of_a_package_that_does_not_exist_hold_up_no_other(settings: Settings, bus: KafkaBus) -> None:
    """The issue's example: 30 replies of an unknown package with a version, and others in the same partitions."""
    known, unknown = (f"pkg_{uuid.uuid4().hex[:8]}" for _ in range(2))
    await bus.publish(PackageConfigured(package=package(known), at=NOW()))
    strangers, wanted = requests(unknown), requests(known)
    await bus.publish(*strangers)
    await bus.publish(*wanted)
    app = build(
        RouterSettings(
            kafka_bootstrap_servers=settings.kafka_bootstrap_servers,
            database_url=settings.database_url,
            router_heard_wait_seconds=0.1,
        )
    )
    async with app.router.lifespan_context(app):
        rejected = await until_seen(settings, {event.message_id for event in [*strangers, *wanted]})
        assert rejected == {event.message_id for event in strangers}
