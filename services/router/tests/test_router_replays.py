"""Replays at the router: what it remembers is decided once, and what it no longer remembers is refused by its age."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from router.open_messages import OpenMessageRouter
from router.pending_assignments import PendingAssignments
from router.postgres import RoutingStore
from router.reassignment import Reassignment
from router.replies import EXPIRES_AFTER, ReplyRouter
from router.testing import MemoryConfigCache, forgetting
from spreader.clock import Clock, wall_now
from spreader.contract.age import OLDEST, REFUSED
from spreader.contract.configuration import Gateway, Package, Profile
from spreader.contract.content import TextContent
from spreader.contract.events import (
    DeliveryOutcome,
    DeliveryReturned,
    OpenDeliveriesAssigned,
    OpenMessageRequested,
    ReplyDeliveryAssigned,
    ReplyMessageRequested,
)
from spreader.kafka.guarded_consumer import Received
from spreader.testing import FakeProgress, MemoryBus

pytestmark = pytest.mark.postgres

SYSTEM = datetime(2031, 5, 1, 12, tzinfo=UTC)
TEXT = TextContent(type="text", text="Hello")
HOUR = timedelta(hours=1)


class Router:
    """Its clock runs a hundred times as fast as wall time, in another year."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.bus = MemoryBus(SYSTEM)
        self.config = MemoryConfigCache()
        gateway = Gateway(driver="simulator", base_url="http://127.0.0.1:1", account="a")
        profile = Profile(profile_id="a", name="a", phone="201000000001", gateway=gateway)
        self.config.configure(Package(package_id="one", version=1, name="One", profiles=(profile,)))
        self.clock = Clock(100.0, wall_now(), SYSTEM)
        self.engine, self.store, self.pending = engine, RoutingStore(engine), PendingAssignments()

    async def read_open(self, age: timedelta, message_id: str = "msg_1") -> None:
        event = OpenMessageRequested(
            package_id="one",
            message_id=message_id,
            content=TEXT,
            recipients=("201100000001", "201100000002"),
            requested_at=SYSTEM,
        )
        handler = OpenMessageRouter(self.store, self.bus, self.config, self.clock, self.pending, FakeProgress())
        await handler.on_requested([Received(event, event.topic, 0, 0, wall_now() - age)])

    async def read_reply(self, age: timedelta, requested_at: datetime) -> ReplyDeliveryAssigned:
        event = ReplyMessageRequested(
            package_id="one", message_id="msg_r", content=TEXT, recipient="201100000001", requested_at=requested_at
        )
        handler = ReplyRouter(self.store, self.bus, self.config, self.clock, FakeProgress(), 1.0)
        await handler.on_requested([Received(event, event.topic, 0, 0, wall_now() - age)])
        return self.bus.of(ReplyDeliveryAssigned)[-1]


def returned(delivery_id: str, tried: tuple[str, ...]) -> DeliveryReturned:
    return DeliveryReturned(
        package_id="one",
        message_id="msg_1",
        delivery_id=delivery_id,
        recipient="201100000001",
        lane="open",
        content=TEXT,
        attempt=1,
        tried=tried,
        reason="it waited for a profile",
        requested_at=SYSTEM,
    )


@pytest.fixture
def router(engine: AsyncEngine) -> Router:
    return Router(engine)


async def test_a_request_that_is_older_than_what_is_remembered_is_rejected_with_the_reason(router: Router) -> None:
    await router.read_open(OLDEST + HOUR)
    assert router.bus.of(OpenDeliveriesAssigned) == []
    outcomes = router.bus.of(DeliveryOutcome)
    assert [(outcome.status, outcome.reason) for outcome in outcomes] == [("rejected", REFUSED)] * 2


async def test_a_request_that_waited_in_kafka_for_a_week_is_routed(router: Router) -> None:
    await router.read_open(OLDEST - HOUR)
    assert len(router.bus.of(OpenDeliveriesAssigned)) == 1
    assert router.bus.of(DeliveryOutcome) == []


async def test_a_request_that_is_remembered_gets_its_old_decision_however_old_it_is(router: Router) -> None:
    await router.read_open(HOUR)
    await router.read_open(OLDEST + HOUR)
    first, again = router.bus.of(OpenDeliveriesAssigned)
    assert first.deliveries == again.deliveries
    assert router.bus.of(DeliveryOutcome) == []


async def test_a_decision_is_remembered_for_longer_than_a_request_and_its_repeats_can_be_read(
    router: Router, engine: AsyncEngine
) -> None:
    await router.read_open(HOUR, "msg_kept")
    await router.read_open(HOUR, "msg_gone")
    async with engine.begin() as connection:
        aged = text("UPDATE router.routing SET noted_at = now() - make_interval(days => :days) WHERE message_id = :id")
        await connection.execute(aged, {"days": 11, "id": "msg_kept"})
        await connection.execute(aged, {"days": 13, "id": "msg_gone"})
    assert await forgetting(engine).delete_old(100) == 1


async def test_the_pacer_is_told_when_a_request_was_written(router: Router) -> None:
    before = wall_now()
    await router.read_open(3 * HOUR)
    (event,) = router.bus.of(OpenDeliveriesAssigned)
    assert event.written_at is not None
    assert before - 3 * HOUR <= event.written_at <= wall_now() - 3 * HOUR


async def test_a_return_that_is_read_again_gets_its_first_decision(router: Router) -> None:
    """Red before: with another profile in the package, a delivery that had failed was assigned; with its profile gone,
    one that was assigned, and perhaps sent, failed."""
    ended, assigned = returned("dlv_ended", ("a", "b", "c")), returned("dlv_assigned", ("b",))
    handler = Reassignment(router.store, router.bus, router.config, router.clock, router.pending)
    package = router.config.package("one")
    assert package is not None
    await handler.on_returned([Received(event, event.topic, 0, 0) for event in (ended, assigned)])
    (other,) = (package.profiles[0].model_copy(update={"profile_id": "b"}),)
    router.config.configure(package.model_copy(update={"profiles": (other,)}))
    await handler.on_returned([Received(event, event.topic, 0, 0) for event in (ended, assigned)])
    outcomes = {outcome.event_id for outcome in router.bus.of(DeliveryOutcome)}
    assert len(outcomes) == 1
    chosen = [event.deliveries[0] for event in router.bus.of(OpenDeliveriesAssigned)]
    assert [(each.delivery_id, each.profile_id) for each in chosen] == [("dlv_assigned", "a")] * 2


async def test_the_decision_on_a_return_is_remembered_as_long_as_that_on_a_request(
    router: Router, engine: AsyncEngine
) -> None:
    handler = Reassignment(router.store, router.bus, router.config, router.clock, router.pending)
    events = [returned("dlv_kept", ()), returned("dlv_gone", ())]
    await handler.on_returned([Received(event, event.topic, 0, 0) for event in events])
    async with engine.begin() as connection:
        aged = text(
            "UPDATE router.reassignment SET noted_at = now() - make_interval(days => :days) WHERE delivery_id = :id"
        )
        await connection.execute(aged, {"days": 11, "id": "dlv_kept"})
        await connection.execute(aged, {"days": 13, "id": "dlv_gone"})
    assert await forgetting(engine).delete_old(100) == 1


async def test_the_pacer_is_told_when_a_return_was_written(router: Router) -> None:
    event = returned("dlv_1", ())
    written = wall_now() - 5 * HOUR
    handler = Reassignment(router.store, router.bus, router.config, router.clock, router.pending)
    await handler.on_returned([Received(event, event.topic, 0, 0, written)])
    (assigned,) = router.bus.of(OpenDeliveriesAssigned)
    assert assigned.written_at == written


async def test_a_reply_that_is_read_again_later_has_expired_whatever_time_its_publisher_has_given(
    router: Router,
) -> None:
    in_ten_years = SYSTEM + timedelta(days=3_650)
    reply = await router.read_reply(2 * EXPIRES_AFTER, in_ten_years)
    assert reply.expires_at < router.clock()
    fresh = await router.read_reply(timedelta(0), router.clock())
    assert router.clock() < fresh.expires_at <= router.clock() + router.clock.system(EXPIRES_AFTER)
