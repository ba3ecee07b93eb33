"""Refused records of the router: an assignment that Kafka refuses for good ends its deliveries and delays no other."""

from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from router.app import ENDED_BY_ROUTER
from router.open_messages import OpenMessageRouter
from router.pending_assignments import PendingAssignments
from router.postgres import RoutingStore
from router.reassignment import Reassignment
from router.replies import ReplyRouter
from router.testing import MemoryConfigCache
from spreader.clock import Clock
from spreader.contract.configuration import Gateway, Package, Profile
from spreader.contract.content import TextContent
from spreader.contract.events import (
    DEAD_LETTER_TOPIC,
    DeliveryOutcome,
    DeliveryReturned,
    Event,
    Lane,
    MessageRouted,
    OpenDeliveriesAssigned,
    OpenMessageRequested,
    ReplyDeliveryAssigned,
    ReplyMessageRequested,
    ReplySettled,
)
from spreader.kafka.bus import RecordsRefused, RefusedRecord
from spreader.kafka.dead_letter import DeadLetterBus
from spreader.kafka.envelope import Envelope
from spreader.kafka.guarded_consumer import Received
from spreader.testing import FakeProgress, MemoryBus, kafka_bus, record_counts

pytestmark = [pytest.mark.kafka, pytest.mark.postgres]

NOW = Clock()
TOPICS = (DEAD_LETTER_TOPIC, DeliveryOutcome.topic, MessageRouted.topic, OpenDeliveriesAssigned.topic)
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


def returned(lane: Lane) -> DeliveryReturned:
    return DeliveryReturned(
        package_id="one",
        message_id="msg_1",
        delivery_id="dlv_1",
        recipient="201100000009",
        lane=lane,
        content=TextContent(type="text", text="Hello"),
        attempt=1,
        tried=("gone",),
        reason="blocked",
        requested_at=NOW(),
        expires_at=NOW() + timedelta(minutes=5),
    )


class RefusingBus(MemoryBus):
    """Refuses the records of these types for good, as Kafka does if they are too large."""

    refused: tuple[type[Event], ...] = ()

    async def publish(self, *events: Event) -> None:
        kept = [event for event in events if not isinstance(event, self.refused)]
        await super().publish(*kept)
        envelope = Envelope("topic", None, None, {})
        refused = [
            RefusedRecord(index, envelope, "MessageSizeTooLargeError")
            for index, event in enumerate(events)
            if isinstance(event, self.refused)
        ]
        if refused:
            raise RecordsRefused(refused)


def refusing(*kinds: type[Event]) -> RefusingBus:
    bus = RefusingBus(NOW())
    bus.refused = kinds
    return bus


async def test_an_assignment_that_kafka_refuses_is_rejected_and_holds_up_no_other(
    engine: AsyncEngine, kafka_servers: str
) -> None:
    """Red before: its deliveries had no end, only a dead letter."""
    before = await record_counts(kafka_servers, *TOPICS)
    async with kafka_bus(kafka_servers) as bus:
        handler = OpenMessageRouter(
            RoutingStore(engine),
            DeadLetterBus(bus, "router", ENDED_BY_ROUTER),
            MemoryConfigCache(PACKAGE),
            NOW,
            PendingAssignments(),
            FakeProgress(),
        )
        await handler.on_requested([request(1, "x" * 1_500_000), request(2, "Hello"), request(3, "Hello")])
    written = await record_counts(kafka_servers, *TOPICS) - before
    assert written[DEAD_LETTER_TOPIC] == 0
    assert written[MessageRouted.topic] == 3
    assert written[DeliveryOutcome.topic] == 1
    assert written[OpenDeliveriesAssigned.topic] >= 2  # a good record of a refused batch may be repeated


async def test_a_repeated_request_whose_assignment_was_refused_gets_the_same_end(engine: AsyncEngine) -> None:
    """Red before: it was assigned after its end, when Kafka took larger records."""
    config, pending, bus = MemoryConfigCache(PACKAGE), PendingAssignments(), refusing(OpenDeliveriesAssigned)
    handler = OpenMessageRouter(RoutingStore(engine), bus, config, NOW, pending, FakeProgress())
    await handler.on_requested([request(1, "Hello")])
    bus.refused = ()
    await handler.on_requested([request(1, "Hello")])
    assert not bus.of(OpenDeliveriesAssigned)
    first, again = bus.of(DeliveryOutcome)
    assert (first.status, first.event_id) == ("rejected", again.event_id)
    assert "MessageSizeTooLargeError" in (first.reason or "")


@pytest.mark.parametrize("lane", ["open", "reply"])
async def test_a_returned_delivery_whose_assignment_is_refused_fails_once_and_for_good(
    engine: AsyncEngine, lane: Lane
) -> None:
    bus = refusing(OpenDeliveriesAssigned, ReplyDeliveryAssigned)
    handler = Reassignment(RoutingStore(engine), bus, MemoryConfigCache(PACKAGE), NOW, PendingAssignments())
    event = returned(lane)
    for _ in range(2):
        await handler.on_returned([Received(event, event.topic, 0, 0)])
        bus.refused = ()
    assert not bus.of(OpenDeliveriesAssigned)
    assert not bus.of(ReplyDeliveryAssigned)
    first, again = bus.of(DeliveryOutcome)
    assert (first.status, first.attempt, first.event_id) == ("failed", 1, again.event_id)


async def test_a_reply_whose_assignment_is_refused_is_rejected_and_its_caller_hears_so(engine: AsyncEngine) -> None:
    bus = refusing(ReplyDeliveryAssigned)
    handler = ReplyRouter(RoutingStore(engine), bus, MemoryConfigCache(PACKAGE), NOW, FakeProgress(), 1.0)
    event = ReplyMessageRequested(
        package_id="one",
        message_id="msg_r",
        content=TextContent(type="text", text="Hello"),
        recipient="201100000009",
        requested_at=NOW(),
        callback_partition=3,
    )
    await handler.on_requested([Received(event, event.topic, 0, 0)])
    assert [outcome.status for outcome in bus.of(DeliveryOutcome)] == ["rejected"]
    assert [settled.status for settled in bus.of(ReplySettled)] == ["rejected"]
