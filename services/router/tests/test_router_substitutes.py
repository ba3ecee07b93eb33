"""Substitutes on a real Postgres: one profile replies to a customer while the conversation's profile cannot."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from router.conversation_tracker import ConversationTracker
from router.core.substitutes import SubstituteTurns
from router.pending_assignments import PendingAssignments
from router.postgres import RoutingStore
from router.reassignment import Reassignment
from router.replies import ReplyRouter
from router.testing import MemoryConfigCache
from spreader.clock import Clock, wall_now
from spreader.contract.configuration import Gateway, Package, Profile
from spreader.contract.content import TextContent
from spreader.contract.events import (
    CustomerMessage,
    DeliveryOutcome,
    DeliveryReturned,
    Event,
    Lane,
    LaneState,
    ProfileState,
    ReplyDeliveryAssigned,
    ReplyMessageRequested,
)
from spreader.kafka.guarded_consumer import Received
from spreader.testing import FakeProgress, MemoryBus, NoDeduplication, counted_sql

pytestmark = pytest.mark.postgres

NOON = datetime(2026, 2, 10, 12, tzinfo=UTC)
TEXT = TextContent(type="text", text="Hello")
E = TypeVar("E", bound=Event)
PEOPLE = [f"2011{number:08}" for number in range(12)]


def package(*paused: str, failover: bool = True) -> Package:
    gateway = Gateway(driver="simulator", base_url="http://127.0.0.1:1", account="x")
    profiles = tuple(
        Profile(profile_id=name, name=name, phone="201000000001", paused=name in paused, gateway=gateway)
        for name in "abcd"
    )
    return Package(package_id="one", version=1, name="One", reply_failover=failover, profiles=profiles)


@dataclass
class Router:
    engine: AsyncEngine
    bus: MemoryBus = field(default_factory=lambda: MemoryBus(NOON))
    config: MemoryConfigCache = field(default_factory=lambda: MemoryConfigCache(package()))
    turns: SubstituteTurns = field(default_factory=SubstituteTurns)
    clock: Clock = field(default_factory=lambda: Clock(1.0, wall_now(), NOON + timedelta(hours=5)))
    number: int = 0

    @property
    def store(self) -> RoutingStore:
        return RoutingStore(self.engine)

    async def reply(self, *recipients: str) -> list[str]:
        """The profiles that answer."""
        requests: list[ReplyMessageRequested] = []
        for recipient in recipients:
            self.number += 1
            message_id = f"msg_{self.number}"
            requests.append(
                ReplyMessageRequested(
                    package_id="one", message_id=message_id, content=TEXT, recipient=recipient, requested_at=NOON
                )
            )
        before = len(self.bus.of(ReplyDeliveryAssigned))
        router = ReplyRouter(self.store, self.bus, self.config, self.clock, FakeProgress(), 60.0, self.turns)
        await router.on_requested(received(*requests))
        return [event.profile_id for event in self.bus.of(ReplyDeliveryAssigned)[before:]]

    async def returned(self, recipient: str, *tried: str) -> None:
        event = DeliveryReturned(
            package_id="one", message_id="msg_x", delivery_id=f"dlv_{recipient}", recipient=recipient, lane="reply",
            content=TEXT, attempt=len(tried), tried=tried, reason="blocked", requested_at=NOON, expires_at=NOON,
        )  # fmt: skip
        handler = Reassignment(self.store, self.bus, self.config, self.clock, PendingAssignments(), turns=self.turns)
        await handler.on_returned(received(event))

    async def wrote(self, profile_id: str, *recipients: str) -> None:
        events = [
            CustomerMessage(
                package_id="one", profile_id=profile_id, recipient=recipient, gateway_message_id=recipient, at=NOON
            )
            for recipient in recipients
        ]
        await self._tracker.on_customer_message(received(*events))

    async def sent(self, profile_id: str, recipient: str, lane: Lane, minute: int) -> None:
        event = DeliveryOutcome(
            package_id="one", message_id="m", delivery_id=f"dlv_{minute}", recipient=recipient, lane=lane,
            status="sent", at=NOON + timedelta(minutes=minute), profile_id=profile_id,
        )  # fmt: skip
        await self._tracker.on_outcome(received(event))

    @property
    def _tracker(self) -> ConversationTracker:
        return ConversationTracker(self.store, NoDeduplication(), self.config)


def received(*events: E) -> list[Received[E]]:
    return [Received(event, event.topic, 0, offset) for offset, event in enumerate(events)]


@pytest.fixture
def router(engine: AsyncEngine) -> Router:
    return Router(engine)


async def test_a_reply_costs_one_statement_and_a_new_customer_one_more(router: Router) -> None:
    await router.reply(PEOPLE[1])  # connects
    with counted_sql() as first:
        await router.reply(PEOPLE[0])
    with counted_sql() as second:
        await router.reply(PEOPLE[0])
    assert (len(first.statements), first.transactions) == (2, 2)
    assert (len(second.statements), second.transactions) == (1, 1)


async def test_one_substitute_answers_a_customer_until_the_own_profile_can_send_again(router: Router) -> None:
    await router.wrote("a", *PEOPLE)
    router.config.configure(package("a"))
    first = await router.reply(*PEOPLE)
    assert Counter(first) == {"b": 4, "c": 4, "d": 4}
    restarted = Router(router.engine, router.bus, router.config)
    assert await restarted.reply(*reversed(PEOPLE)) == list(reversed(first))
    router.config.configure(package())
    assert set(await router.reply(*PEOPLE)) == {"a"}
    router.config.configure(package("a"))
    assert await router.reply(*PEOPLE) == first


async def test_two_replies_to_a_customer_in_one_batch_have_the_same_substitute(router: Router) -> None:
    await router.wrote("a", *PEOPLE[:3])
    router.config.configure(package("a"))
    answers = await router.reply(*(person for person in PEOPLE[:3] for _ in range(2)))
    assert answers[::2] == answers[1::2]
    assert set(answers) == {"b", "c", "d"}


async def test_a_substitute_that_cannot_send_is_replaced_by_one_that_stays(router: Router) -> None:
    await router.wrote("a", PEOPLE[0])
    router.config.configure(package("a"))
    (first,) = await router.reply(PEOPLE[0])
    router.config.configure(package("a", first))
    (second,) = await router.reply(PEOPLE[0])
    assert second not in {"a", first}
    router.config.configure(package("a"))
    assert await router.reply(PEOPLE[0]) == [second]


async def test_a_session_that_does_not_work_is_substituted_too(router: Router) -> None:
    await router.wrote("a", PEOPLE[0])
    state = ProfileState(profile_id="a", package_id="one", session="starting", at=NOON)
    assert isinstance(router.config.states, dict)
    router.config.states["a"] = state
    assert await router.reply(PEOPLE[0]) != ["a"]
    router.config.configure(package(failover=False))
    assert await router.reply(PEOPLE[0]) == ["a"]  # only it may answer
    for name in "bcd":
        router.config.states[name] = state.model_copy(update={"profile_id": name, "reply": LaneState(state="blocked")})
    router.config.configure(package())
    assert await router.reply(PEOPLE[0]) == ["a"]  # a reply cannot wait


@pytest.mark.parametrize("lane", ["reply", "open"])
async def test_a_reply_of_the_substitute_does_not_move_a_conversation_that_we_began(router: Router, lane: Lane) -> None:
    await router.sent("a", PEOPLE[0], "open", 1)
    router.config.configure(package("a"))
    (first,) = await router.reply(PEOPLE[0])
    await router.sent(first, PEOPLE[0], lane, 2)
    router.config.configure(package())
    assert await router.reply(PEOPLE[0]) == ["a" if lane == "reply" else first]


async def test_a_customer_who_writes_to_the_substitute_stays_with_it(router: Router) -> None:
    await router.sent("a", PEOPLE[0], "open", 1)
    router.config.configure(package("a"))
    (first,) = await router.reply(PEOPLE[0])
    await router.wrote(first, PEOPLE[0])
    router.config.configure(package())
    assert await router.reply(PEOPLE[0]) == [first]


async def test_a_returned_reply_goes_to_the_substitute_and_the_next_ones_too(router: Router) -> None:
    await router.wrote("a", *PEOPLE[:6])
    for recipient in PEOPLE[:6]:
        await router.returned(recipient, "a")
    chosen = [event.profile_id for event in router.bus.of(ReplyDeliveryAssigned)]
    assert Counter(chosen) == {"b": 2, "c": 2, "d": 2}
    router.config.configure(package("a"))
    assert await router.reply(*PEOPLE[:6]) == chosen


async def test_a_returned_reply_obeys_reply_failover(router: Router) -> None:
    router.config.configure(package(failover=False))
    await router.wrote("a", PEOPLE[0])
    await router.returned(PEOPLE[0], "a")
    assert router.bus.of(ReplyDeliveryAssigned) == []
    assert [(each.status, each.reason) for each in router.bus.of(DeliveryOutcome)] == [
        ("failed", "the package lets no other profile answer; last: blocked")
    ]
