"""One person, two spellings of the number: the router finds the suppression, the conversation and the substitute."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from router.conversation_tracker import ConversationTracker
from router.core.routing import ProfileSnapshot, Routing, assigned_event, route_record, terminal_outcomes, waiting_event
from router.open_messages import OpenMessageRouter
from router.pending_assignments import PendingAssignments
from router.postgres import RoutingStore
from router.replies import ReplyRouter
from router.testing import MemoryConfigCache
from spreader.clock import Clock, wall_now
from spreader.consent import SUPPRESSED, ConsentFollower, ConsentTable
from spreader.contract.configuration import Gateway, Package, Profile
from spreader.contract.content import TextContent
from spreader.contract.events import (
    ConsentChanged,
    CustomerMessage,
    DeliveryOutcome,
    OpenDeliveriesAssigned,
    OpenMessageRequested,
    ReplyDeliveryAssigned,
    ReplyMessageRequested,
)
from spreader.contract.ids import delivery_id
from spreader.kafka.guarded_consumer import Received
from spreader.kafka.partitions import partition_of
from spreader.phone.canonical import person_key
from spreader.testing import FakeProgress, MemoryBus, NoDeduplication

NOON = datetime(2026, 2, 10, 12, tzinfo=UTC)
TEXT = TextContent(type="text", text="Hello")
PAIRS = [
    ("5582999448232", "558299448232"),
    ("525512345678", "5215512345678"),
    ("5491155551234", "541155551234"),
]
"""The key of a person, and the other spelling of the number."""
KEY, OTHER = PAIRS[0]
MONA = "201000000011"


def package(keeps: bool = True) -> Package:
    gateway = Gateway(driver="simulator", base_url="http://127.0.0.1:1", account="x")
    profiles = tuple(Profile(profile_id=each, name=each, phone="201000000001", gateway=gateway) for each in "abc")
    return Package(package_id="one", version=1, name="One", profiles=profiles, keep_profile_per_customer=keeps)


def request(*numbers: str, message_id: str = "m1") -> OpenMessageRequested:
    return OpenMessageRequested(
        package_id="one", message_id=message_id, content=TEXT, recipients=numbers, requested_at=NOON
    )


@dataclass
class AskedProgress(FakeProgress):
    """Also records which partitions were waited for."""

    asked: set[int] = field(default_factory=set[int])

    async def ends(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        ends = await super().ends(topic, partitions)
        self.asked |= set(ends)
        return ends


class Router:
    def __init__(self, engine: AsyncEngine) -> None:
        self.store = RoutingStore(engine)
        self.bus, self.config, self.progress = MemoryBus(NOON), MemoryConfigCache(package()), AskedProgress()
        self.clock = Clock(1.0, wall_now(), NOON + timedelta(hours=5))

    async def open(self, *numbers: str, message_id: str = "m1") -> None:
        handler = OpenMessageRouter(
            self.store, self.bus, self.config, self.clock, PendingAssignments(), self.progress
        )  # fmt: skip
        event = request(*numbers, message_id=message_id)
        await handler.on_requested([Received(event, event.topic, 0, 0)])

    async def reply(self, number: str) -> None:
        event = ReplyMessageRequested(
            package_id="one", message_id="r1", content=TEXT, recipient=number, requested_at=NOON
        )
        handler = ReplyRouter(self.store, self.bus, self.config, self.clock, self.progress, 1.0)
        await handler.on_requested([Received(event, event.topic, 0, 0)])

    async def stop(self, number: str) -> None:
        event = ConsentChanged(
            package_id="one", recipient=number, kind="suppression", listed=True, source="opt_out_word", at=NOON
        )
        follower = ConsentFollower(self.store.engine, NoDeduplication(), ConsentTable("router"))
        await follower.on_changed([Received(event, event.topic, 0, 0)])

    async def writes(self, number: str, profile_id: str, at: datetime = NOON) -> None:
        event = CustomerMessage(
            package_id="one", profile_id=profile_id, recipient=number, gateway_message_id=at.isoformat(), at=at
        )
        tracker = ConversationTracker(self.store, NoDeduplication(), self.config)
        await tracker.on_customer_message([Received(event, event.topic, 0, 0)])

    def assigned(self) -> list[tuple[str, str]]:
        events = self.bus.of(OpenDeliveriesAssigned)
        return [(each.recipient, each.profile_id) for event in events for each in event.deliveries]


@pytest.fixture
def router(engine: AsyncEngine) -> Router:
    return Router(engine)


@pytest.mark.postgres
@pytest.mark.parametrize("pair", [*PAIRS, *(pair[::-1] for pair in PAIRS)])
async def test_stop_from_one_spelling_suppresses_the_other(router: Router, pair: Sequence[str]) -> None:
    listed, stopped = pair
    await router.stop(stopped)
    await router.open(listed, MONA)
    assert [number for number, _ in router.assigned()] == [MONA]
    (outcome,) = router.bus.of(DeliveryOutcome)
    assert (outcome.recipient, outcome.status, outcome.reason) == (listed, "suppressed", SUPPRESSED)
    assert outcome.delivery_id == delivery_id("m1", listed)


@pytest.mark.postgres
@pytest.mark.parametrize("pair", [*PAIRS, *(pair[::-1] for pair in PAIRS)])
async def test_a_person_keeps_the_profile_that_they_wrote_to(router: Router, pair: Sequence[str]) -> None:
    listed, writes = pair
    await router.writes(writes, "c")
    await router.open(listed)
    await router.reply(listed)
    assert router.assigned() == [(listed, "c")]
    (reply,) = router.bus.of(ReplyDeliveryAssigned)
    assert (reply.recipient, reply.profile_id) == (listed, "c")
    assert reply.delivery_id == delivery_id("r1", listed)


@pytest.mark.postgres
async def test_a_reply_waits_for_messages_that_an_older_ingress_published_under_the_other_spelling(
    router: Router,
) -> None:
    await router.reply(KEY)
    keys = [f"one:{number}".encode() for number in (KEY, OTHER)]
    assert {partition_of(CustomerMessage.topic, key) for key in keys} <= router.progress.asked


def test_two_spellings_in_a_record_get_one_delivery() -> None:
    of_request = request(OTHER, MONA, KEY)
    routing, _ = route_record(of_request, package(), ProfileSnapshot(), "", random.Random(1))
    deliveries = assigned_event(of_request, routing).deliveries
    assert [(each.recipient, each.index) for each in deliveries] == [(OTHER, 0), (MONA, 1)]
    suppressed = {person_key(KEY): SUPPRESSED}
    routing, _ = route_record(of_request, package(), ProfileSnapshot(), "", random.Random(1), suppressed=suppressed)
    assert [(each.recipient, each.status) for each in terminal_outcomes(of_request, routing)] == [(OTHER, "suppressed")]


def test_a_stored_decision_of_the_previous_version_keeps_its_deliveries() -> None:
    """It has a profile for each spelling. The record may be read again by this version."""
    of_request = request(OTHER, MONA, KEY)
    stored = Routing("m1", 0, "round_robin", 1, ("a", "b", "c"))
    deliveries = assigned_event(of_request, stored).deliveries
    assert [(each.recipient, each.profile_id) for each in deliveries] == [(OTHER, "a"), (MONA, "b"), (KEY, "c")]
    waiting = waiting_event(of_request, replace(stored, profiles=(), waiting="none can send"))
    assert waiting is not None
    assert [each.recipient for each in waiting.deliveries] == [OTHER, MONA]
