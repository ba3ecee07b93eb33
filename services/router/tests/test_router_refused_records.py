"""Refused records of the router: an assignment that Kafka refuses for good holds up no other."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from router.open_messages import OpenMessageRouter
from router.pending_assignments import PendingAssignments
from router.postgres import RoutingStore
from router.testing import MemoryConfigCache
from spreader.clock import Clock
from spreader.contract.configuration import Gateway, Package, Profile
from spreader.contract.content import TextContent
from spreader.contract.events import DEAD_LETTER_TOPIC, MessageRouted, OpenDeliveriesAssigned, OpenMessageRequested
from spreader.kafka.dead_letter import DeadLetterBus
from spreader.kafka.guarded_consumer import Received
from spreader.testing import FakeProgress, kafka_bus, record_counts

pytestmark = [pytest.mark.kafka, pytest.mark.postgres]

NOW = Clock()
TOPICS = (DEAD_LETTER_TOPIC, MessageRouted.topic, OpenDeliveriesAssigned.topic)
PROFILE = Profile(
    profile_id="a",
    name="A",
    phone="201000000001",
    gateway=Gateway(driver="simulator", base_url="http://127.0.0.1:1", account="a"),
)
PACKAGE = Package(package_id="one", version=1, name="One", profiles=(PROFILE,))


def request(number: int, text: str) -> Received[OpenMessageRequested]:
    event = OpenMessageRequested(
        package_id="one",
        message_id=f"msg_{number}",
        content=TextContent.model_construct(type="text", text=text),
        recipients=("201100000009",),
        requested_at=NOW(),
        callback_partition=3,
    )
    return Received(event, event.topic, 0, number)


async def test_an_assignment_that_kafka_refuses_holds_up_no_other(engine: AsyncEngine, kafka_servers: str) -> None:
    before = await record_counts(kafka_servers, *TOPICS)
    async with kafka_bus(kafka_servers) as bus:
        handler = OpenMessageRouter(
            RoutingStore(engine),
            DeadLetterBus(bus, "router"),
            MemoryConfigCache(PACKAGE),
            NOW,
            PendingAssignments(),
            FakeProgress(),
        )
        await handler.on_requested([request(1, "x" * 1_500_000), request(2, "Hello"), request(3, "Hello")])
    written = await record_counts(kafka_servers, *TOPICS) - before
    assert written[DEAD_LETTER_TOPIC] == 1
    assert written[MessageRouted.topic] == 3
    assert written[OpenDeliveriesAssigned.topic] >= 2  # a good record of a refused batch may be repeated
