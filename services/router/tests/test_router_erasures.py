"""Erasures in the router, on a real Postgres: conversations, moves and decisions no longer name the person."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from local.testbed.sql_search import tables_with
from router.conversation_tracker import ConversationTracker
from router.core.routing import SUPPRESSED_AND_ERASED, ProfileSnapshot, route_record, terminal_outcomes
from router.open_messages import OpenMessageRouter
from router.pending_assignments import PendingAssignments
from router.postgres import RoutingStore
from router.replies import ReplyRouter
from router.sql_erasures import REMOVALS
from router.sql_known_conversations import known_conversations
from router.testing import MemoryConfigCache
from spreader.clock import Clock, wall_now
from spreader.consent import SUPPRESSED, ConsentFollower, ConsentTable
from spreader.contract.configuration import Gateway, Package, Profile
from spreader.contract.content import TextContent
from spreader.contract.events import (
    ConsentChanged,
    CustomerMessage,
    DeliveryOutcome,
    ErasureReported,
    OpenDeliveriesAssigned,
    OpenMessageRequested,
    RecipientErased,
    ReplyDeliveryAssigned,
    ReplyMessageRequested,
)
from spreader.contract.ids import ERASED
from spreader.erasure.eraser import Eraser, report_to
from spreader.erasure.postgres import ErasureTable
from spreader.kafka.guarded_consumer import Received
from spreader.phone.canonical import person_key
from spreader.testing import FakeProgress, MemoryBus, NoDeduplication

NOON = datetime(2026, 2, 10, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ONE, TWO = "201100000000", "201100000001"
TEXT = TextContent(type="text", text="Hello")


def package() -> Package:
    gateway = Gateway(driver="simulator", base_url="http://127.0.0.1:1", account="x")
    profiles = tuple(Profile(profile_id=each, name=each, phone="201000000001", gateway=gateway) for each in ("a", "b"))
    return Package(package_id="one", version=1, name="One", profiles=profiles)


def request(message_id: str = "m1", at: datetime = NOON) -> OpenMessageRequested:
    return OpenMessageRequested(
        package_id="one", message_id=message_id, content=TEXT, recipients=(ONE, TWO), requested_at=at
    )


def received(*events: Any) -> list[Received[Any]]:
    return [Received(event, event.topic, 0, offset) for offset, event in enumerate(events)]


@dataclass
class Router:
    engine: AsyncEngine

    def __post_init__(self) -> None:
        self.bus, self.config, self.now = MemoryBus(NOON), MemoryConfigCache(package()), NOON
        self.store = RoutingStore(self.engine)

    async def open(self, *requests: OpenMessageRequested) -> None:
        handler = OpenMessageRouter(
            self.store, self.bus, self.config, lambda: self.now, PendingAssignments(), FakeProgress()
        )
        await handler.on_requested(received(*requests))

    async def reply(self, at: datetime) -> ReplyDeliveryAssigned:
        clock = Clock(1.0, wall_now(), self.now)
        handler = ReplyRouter(self.store, self.bus, self.config, clock, FakeProgress(), 60.0)
        asked = ReplyMessageRequested(
            package_id="one", message_id=f"r{at}".translate({32: 45, 58: 45, 43: 45}), content=TEXT, recipient=ONE,
            requested_at=at,
        )  # fmt: skip
        await handler.on_requested(received(asked))
        return self.bus.of(ReplyDeliveryAssigned)[-1]

    async def write(self, at: datetime, profile_id: str = "b") -> None:
        message = CustomerMessage(
            package_id="one", profile_id=profile_id, recipient=ONE, gateway_message_id=f"in/{at}", at=at
        )
        tracker = ConversationTracker(self.store, NoDeduplication(), self.config)
        await tracker.on_customer_message(received(message))

    async def sent(self, at: datetime, recipient: str = ONE) -> None:
        outcome = DeliveryOutcome(
            package_id="one", message_id="m0", delivery_id="d0", recipient=recipient, lane="open", status="sent", at=at,
            profile_id="a",
        )  # fmt: skip
        await ConversationTracker(self.store, NoDeduplication(), self.config).on_outcome(received(outcome))

    async def change(self, kind: Any, listed: bool = True) -> None:
        change = ConsentChanged(package_id="one", recipient=ONE, kind=kind, listed=listed, source="api", at=NOON)
        await ConsentFollower(self.engine, NoDeduplication(), ConsentTable("router")).on_changed(received(change))

    async def erase(self, keep: bool = True) -> None:
        table = ErasureTable("router")
        eraser = Eraser(self.engine, table, lambda: self.now, REMOVALS, report_to(self.bus))
        event = RecipientErased(erasure_id="ers_1", recipient=ONE, keep_suppression=keep, at=self.now)
        await eraser.on_erased(received(event))
        async with self.engine.begin() as connection:
            await connection.execute(text("UPDATE router.erasure SET look_at = now()"))
        for _ in range(4):
            await eraser.run_once()

    async def traces(self, number: str = ONE) -> set[str]:
        async with self.engine.connect() as connection:
            return await tables_with(connection, number, "router")

    @property
    def outcomes(self) -> list[tuple[str, str, str | None]]:
        return [(each.recipient, each.status, each.reason) for each in self.bus.of(DeliveryOutcome)]


@pytest.fixture
def router(engine: AsyncEngine) -> Router:
    return Router(engine)


@pytest.mark.postgres
@pytest.mark.parametrize("keep", [True, False])
async def test_an_erased_person_is_in_no_table(router: Router, keep: bool) -> None:
    await router.change("suppression")
    await router.change("opt_in", listed=False)
    await router.open(request())
    await router.write(NOON - MINUTE)
    await router.sent(NOON)
    tables = ("routing", "consent", "consent_removal", "conversation", "conversation_move")
    assert await router.traces() == {f"router.{table}" for table in tables}
    await router.erase(keep)
    assert await router.traces() == ({"router.consent"} if keep else set())
    (report,) = router.bus.of(ErasureReported)
    assert report.rows == {
        "router.conversation": 1, "router.conversation_move": 1, "router.routing": 1, "router.consent_removal": 1,
        **({} if keep else {"router.consent": 1}),
    }  # fmt: skip
    await router.open(request())  # the record is read again
    assert router.outcomes == [(ONE, "suppressed", SUPPRESSED), (ONE, "suppressed", SUPPRESSED_AND_ERASED)]
    assigned = [[each.recipient for each in event.deliveries] for event in router.bus.of(OpenDeliveriesAssigned)]
    assert assigned == [[TWO], [TWO]]


@pytest.mark.postgres
async def test_older_records_leave_no_trace_and_later_ones_begin_afresh(router: Router) -> None:
    await router.change("suppression")
    await router.erase()
    await router.write(NOON)
    await router.sent(NOON)
    await router.sent(NOON + MINUTE, ERASED)
    await router.open(request())
    assert (await router.reply(NOON)).recipient == ONE
    assert (await router.traces(), await router.traces(f",{ERASED},")) == ({"router.consent"}, set())
    assert router.outcomes == []  # the pacer cancels it
    router.now += 2 * MINUTE
    await router.write(NOON + MINUTE)
    assert (await router.reply(NOON + 2 * MINUTE)).profile_id == "b"
    assert await router.traces() == {"router.consent", "router.conversation", "router.conversation_move"}


@pytest.mark.postgres
async def test_all_conversations_of_a_person_are_found(router: Router) -> None:
    await router.write(NOON)
    async with router.store.begin() as connection:
        (known,) = await known_conversations(connection, ONE)
        assert (known.package_id, known.profile_id, known.customer_at) == ("one", "b", NOON)
        assert await known_conversations(connection, TWO) == []


def test_a_decision_that_no_longer_names_a_suppressed_recipient_gives_the_same_end() -> None:
    suppressed = {person_key(ONE): SUPPRESSED}
    routing, _ = route_record(request(), package(), ProfileSnapshot(), "a", Random(1), suppressed=suppressed)
    anonymous = type(routing)(
        routing.message_id, 0, routing.strategy, 1, routing.profiles, suppressed={"ers_1": SUPPRESSED}
    )
    ends = [
        [(end.recipient, end.status) for end in terminal_outcomes(request(), each)] for each in (routing, anonymous)
    ]
    assert ends == [[(ONE, "suppressed")]] * 2
