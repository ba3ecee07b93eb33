"""The router's handlers on a real Postgres: decisions made once and published until acknowledged; conversations."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from router import reassignment
from router.conversation_tracker import ConversationTracker
from router.open_messages import OpenMessageRouter
from router.pending_assignments import PendingAssignments
from router.postgres import RoutingStore
from router.reassignment import Reassignment
from router.replies import ReplyRouter
from router.testing import MemoryConfigCache
from spreader.clock import Clock, wall_now
from spreader.contract.configuration import Gateway, Package, Profile
from spreader.contract.content import TextContent
from spreader.contract.events import (
    CALLBACK_PARTITIONS,
    CustomerMessage,
    DeliveryOutcome,
    DeliveryReturned,
    Event,
    LaneState,
    MessageRouted,
    OpenDeliveriesAssigned,
    OpenDeliveriesWaiting,
    OpenMessageRequested,
    ProfileState,
    ReplyDeliveryAssigned,
    ReplyMessageRequested,
    ReplySettled,
)
from spreader.contract.ids import conversation_id
from spreader.kafka.bus import PublishFailed
from spreader.kafka.envelope import decode, encode
from spreader.kafka.guarded_consumer import Received
from spreader.testing import FakeProgress, MemoryBus, NoDeduplication

pytestmark = pytest.mark.postgres

NOON = datetime(2026, 2, 10, 12, tzinfo=UTC)
TEXT = TextContent(type="text", text="Hello")
E = TypeVar("E", bound=Event)


@dataclass
class Router:
    engine: AsyncEngine
    bus: MemoryBus = field(default_factory=lambda: MemoryBus(NOON))
    config: MemoryConfigCache = field(default_factory=MemoryConfigCache)
    progress: FakeProgress = field(default_factory=FakeProgress)
    wait_seconds: float = 60.0
    clock: Clock = field(default_factory=lambda: Clock(1.0, wall_now(), NOON + timedelta(hours=5)))
    pending: PendingAssignments = field(default_factory=PendingAssignments)

    async def open(self, *requests: OpenMessageRequested) -> None:
        handler = OpenMessageRouter(
            RoutingStore(self.engine), self.bus, self.config, self.clock, self.pending, self.progress
        )
        await handler.on_requested(received(*requests))

    async def reply(self, *requests: ReplyMessageRequested) -> None:
        handler = ReplyRouter(
            RoutingStore(self.engine), self.bus, self.config, self.clock, self.progress, self.wait_seconds
        )
        await handler.on_requested(received(*requests))

    async def receive(self, *messages: CustomerMessage) -> None:
        await ConversationTracker(RoutingStore(self.engine), NoDeduplication(), self.config).on_customer_message(
            received(*messages)
        )

    async def record_outcomes(self, *outcomes: DeliveryOutcome) -> None:
        await ConversationTracker(RoutingStore(self.engine), NoDeduplication(), self.config).on_outcome(
            received(*outcomes)
        )

    async def return_deliveries(self, *returned: DeliveryReturned) -> None:
        handler = Reassignment(RoutingStore(self.engine), self.bus, self.config, self.clock, self.pending)
        await handler.on_returned(received(*returned))

    def shared(self) -> Counter[str]:
        assigned = self.bus.of(OpenDeliveriesAssigned)
        return Counter(delivery.profile_id for event in assigned for delivery in event.deliveries)


@pytest.fixture
def router(engine: AsyncEngine) -> Router:
    router = Router(engine)
    router.config.configure(package("a", "b", "c"))
    return router


def package(*profiles: str) -> Package:
    return Package(
        package_id="one", version=1, name="One",
        profiles=tuple(
            Profile(
                profile_id=each, name=each, phone="201000000001",
                gateway=Gateway(driver="simulator", base_url="http://127.0.0.1:1", account=each),
            )
            for each in profiles
        ),
    )  # fmt: skip


def received(*events: E) -> list[Received[E]]:
    return [Received(event, event.topic, 0, offset) for offset, event in enumerate(events)]


def request(message_id: str, count: int, first_index: int = 0, package_id: str = "one") -> OpenMessageRequested:
    return OpenMessageRequested(
        package_id=package_id, message_id=message_id, content=TEXT, first_index=first_index, requested_at=NOON,
        recipients=tuple(f"2011{number:08}" for number in range(first_index, first_index + count)),
        callback_partition=3,
    )  # fmt: skip


def reply(recipient: str, package_id: str = "one", named: str | None = None) -> ReplyMessageRequested:
    return ReplyMessageRequested(
        package_id=package_id, message_id=f"msg_{recipient}", content=TEXT, recipient=recipient, requested_at=NOON,
        callback_partition=3, conversation_id=named,
    )  # fmt: skip


def wrote(recipient: str, profile_id: str, minute: int = 0) -> CustomerMessage:
    return CustomerMessage(
        package_id="one", profile_id=profile_id, recipient=recipient, gateway_message_id=f"in_{minute}",
        text="Hi", at=NOON + timedelta(minutes=minute),
    )  # fmt: skip


def sent(recipient: str, profile_id: str, minute: int = 0) -> DeliveryOutcome:
    return DeliveryOutcome(
        package_id="one", message_id="msg_1", delivery_id=f"dlv_{minute}", recipient=recipient, lane="open",
        status="sent", at=NOON + timedelta(minutes=minute), profile_id=profile_id,
    )  # fmt: skip


async def test_the_round_continues_across_records_and_restarts(router: Router) -> None:
    await router.open(request("msg_1", 4), request("msg_2", 1))
    restarted = Router(router.engine, router.bus, router.config)
    await restarted.open(request("msg_3", 1))
    assert router.shared() == {"a": 2, "b": 2, "c": 2}


async def test_a_profile_that_is_added_waits_for_its_place_and_moves_no_other(router: Router) -> None:
    await router.open(request("msg_1", 7))
    router.config.configure(package("a", "b", "c", "d"))
    await router.open(request("msg_2", 4))
    assert [[each.profile_id for each in event.deliveries] for event in router.bus.of(OpenDeliveriesAssigned)] == [
        ["a", "b", "c", "a", "b", "c", "a"], ["b", "c", "d", "a"],
    ]  # fmt: skip


async def test_every_event_of_a_request_carries_its_trace(router: Router) -> None:
    trace = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
    await router.open(request("msg_1", 4).model_copy(update=trace))
    await router.reply(reply("201100000001").model_copy(update=trace))
    assert {type(event) for event in router.bus.published} == {
        OpenDeliveriesAssigned, MessageRouted, ReplyDeliveryAssigned,
    }  # fmt: skip
    assert {event.traceparent for event in router.bus.published} == {trace["traceparent"]}


async def test_a_repeated_record_gets_the_same_decision(router: Router) -> None:
    await router.open(request("msg_1", 4))
    await router.open(request("msg_2", 1))
    await router.open(request("msg_1", 4))
    first, _, again = router.bus.of(OpenDeliveriesAssigned)
    assert again == first
    assert [each.distribution for each in router.bus.of(MessageRouted)] == [
        {"a": 2, "b": 1, "c": 1}, {"b": 1}, {"a": 2, "b": 1, "c": 1},
    ]  # fmt: skip


async def test_a_decision_that_could_not_be_published_is_published_later_unchanged(router: Router) -> None:
    router.bus.away = True
    with pytest.raises(PublishFailed):
        await router.open(request("msg_1", 2))
    router.bus.away = False
    await router.open(request("msg_1", 2), request("msg_2", 1))
    assert [[each.profile_id for each in event.deliveries] for event in router.bus.of(OpenDeliveriesAssigned)] == [
        ["a", "b"], ["c"],
    ]  # fmt: skip


async def test_a_recipient_named_twice_is_assigned_once(router: Router) -> None:
    doubled = request("msg_1", 2).model_copy(update={"recipients": ("201100000000",) * 3 + ("201100000001",)})
    await router.open(doubled)
    assert sum(router.shared().values()) == 2


async def test_a_record_of_an_unknown_package_is_rejected_with_the_reason(router: Router) -> None:
    await router.open(request("msg_1", 2, package_id="none"))
    assert [(each.status, each.reason) for each in router.bus.of(DeliveryOutcome)] == [
        ("rejected", "there is no package none")
    ] * 2
    assert [(each.rejected, each.reason) for each in router.bus.of(MessageRouted)] == [(2, "there is no package none")]


async def test_a_reply_goes_through_the_profile_the_customer_last_wrote_to_also_after_a_restart(router: Router) -> None:
    await router.receive(wrote("201100000001", "a", 1), wrote("201100000001", "b", 2))
    await router.record_outcomes(sent("201100000001", "c", 3))
    restarted = Router(router.engine, router.bus, router.config)
    await restarted.reply(reply("201100000001"))
    assert [each.profile_id for each in router.bus.of(ReplyDeliveryAssigned)] == ["b"]


async def test_a_repeated_or_late_message_changes_nothing(router: Router) -> None:
    await router.receive(wrote("201100000001", "b", 2))
    await router.receive(wrote("201100000001", "b", 2), wrote("201100000001", "a", 1))
    await router.reply(reply("201100000001"))
    assert [each.profile_id for each in router.bus.of(ReplyDeliveryAssigned)] == ["b"]


async def test_a_new_customer_stays_with_the_profile_of_the_first_reply(router: Router) -> None:
    await router.reply(reply("201100000001"))
    router.config.configure(package("c", "b", "a", "0"))
    await router.reply(reply("201100000001"))
    assert [each.profile_id for each in router.bus.of(ReplyDeliveryAssigned)] == ["a", "a"]


async def test_a_reply_continues_the_conversation_it_names_and_is_rejected_when_it_names_another(
    router: Router,
) -> None:
    mine, theirs = "201100000001", "201100000002"
    await router.receive(wrote(mine, "b"))
    router.clock = Clock(1.0, wall_now(), NOON + timedelta(days=300))
    for named in (None, "order 7", conversation_id("one", mine)):
        await router.reply(reply(mine, named=named))
    assert [each.profile_id for each in router.bus.of(ReplyDeliveryAssigned)] == ["a", "a", "b"]
    await router.reply(reply(mine, named=conversation_id("one", theirs)))
    await router.reply(reply(mine, named=conversation_id("another", mine)))
    assert len(router.bus.of(ReplyDeliveryAssigned)) == 3
    reason = "`conversation_id` names the conversation of another recipient or of another package"
    assert [(each.status, each.reason) for each in router.bus.of(DeliveryOutcome)] == [("rejected", reason)] * 2
    assert [(each.status, each.reason) for each in router.bus.of(ReplySettled)] == [("rejected", reason)] * 2


async def test_an_ended_conversation_does_not_take_precedence_over_a_later_send(router: Router) -> None:
    """Otherwise a customer whose reply went through another profile would get the next one from the old profile."""
    day = 24 * 60
    await router.receive(wrote("201100000001", "b"))
    await router.record_outcomes(sent("201100000001", "a", 200 * day), sent("201100000001", "b", 10 * day))
    router.clock = Clock(1.0, wall_now(), NOON + timedelta(days=201))
    await router.reply(reply("201100000001"))
    assert [each.profile_id for each in router.bus.of(ReplyDeliveryAssigned)] == ["a"]


async def test_replies_wait_until_earlier_customer_messages_are_read(router: Router) -> None:
    router.progress.behind = 3
    await router.reply(reply("201100000001"))
    assert router.progress.calls == 4


async def test_the_wait_of_a_reply_for_unread_messages_is_bounded(router: Router) -> None:
    router.progress.behind, router.wait_seconds = 1_000_000, 0.05
    await router.reply(reply("201100000001"))
    assert len(router.bus.of(ReplyDeliveryAssigned)) == 1


async def test_a_reply_without_a_route_is_rejected_and_its_caller_gets_the_reason(router: Router) -> None:
    await router.reply(reply("201100000001", package_id="none"))
    assert [each.status for each in router.bus.of(DeliveryOutcome)] == ["rejected"]
    assert [each.callback_partition for each in router.bus.of(ReplySettled)] == [3]


async def test_a_returned_delivery_is_reassigned_or_fails(router: Router) -> None:
    first = DeliveryReturned(
        package_id="one", message_id="msg_1", delivery_id="dlv_1", recipient="201100000000", lane="open", content=TEXT,
        attempt=1, tried=("a",), reason="blocked", requested_at=NOON,
    )  # fmt: skip
    await router.return_deliveries(first, first.model_copy(update={"attempt": 3, "tried": ("a", "b", "c")}))
    (again,) = router.bus.of(OpenDeliveriesAssigned)
    assert [(each.profile_id, each.attempt, each.tried) for each in again.deliveries] == [("b", 2, ("a",))]
    assert [(each.status, each.attempt) for each in router.bus.of(DeliveryOutcome)] == [("failed", 3)]


async def test_returned_deliveries_of_a_package_that_is_not_known_wait_for_the_record_of_it_or_of_its_removal(
    router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reassignment, "UNKNOWN_PACKAGE_SECONDS", 0.01)
    first = DeliveryReturned(
        package_id="two", message_id="msg_1", delivery_id="dlv_1", recipient="201100000000", lane="open", content=TEXT,
        attempt=1, tried=("a",), reason="blocked", requested_at=NOON,
    )  # fmt: skip
    waited = first.model_copy(update={"delivery_id": "dlv_2", "tried": (), "distribution": "round_robin"})
    answer = first.model_copy(
        update={"delivery_id": "dlv_3", "lane": "reply", "expires_at": router.clock() + timedelta(minutes=9)}
    )
    await router.return_deliveries(first, waited)
    await router.return_deliveries(answer)
    assert [(each.deliveries[0].delivery_id, each.strategy) for each in router.bus.of(OpenDeliveriesWaiting)] == [
        ("dlv_1", "smart"), ("dlv_2", "round_robin"),
    ]  # fmt: skip
    assert router.bus.of(DeliveryReturned) == [answer]
    assert not router.bus.of(DeliveryOutcome)
    router.config.remove(package().model_copy(update={"package_id": "two"}))
    await router.return_deliveries(*(each.model_copy(update={"attempt": 2}) for each in (first, waited)))
    await router.return_deliveries(answer)
    assert [(each.delivery_id, each.status) for each in router.bus.of(DeliveryOutcome)] == [
        ("dlv_1", "failed"), ("dlv_2", "failed"), ("dlv_3", "failed"),
    ]  # fmt: skip


async def test_an_open_message_waits_until_the_states_of_the_profiles_are_known(engine: AsyncEngine) -> None:
    """After a start with a new Kafka: a closed lane must not count as open because stats has not published it yet."""
    router = Router(engine, config=MemoryConfigCache(package("a", "b"), states_wait_seconds=60))
    closed = ProfileState(profile_id="a", package_id="one", open=LaneState(state="blocked"), at=NOON)
    routing = asyncio.create_task(router.open(request("msg_1", 4)))
    _, waits = await asyncio.wait({routing}, timeout=0.3)
    assert waits
    router.config.set_state(closed)
    router.config.set_state(closed.model_copy(update={"profile_id": "b", "open": LaneState()}))
    await routing
    assert router.shared() == {"b": 4}


async def test_states_that_do_not_come_are_waited_for_once(engine: AsyncEngine) -> None:
    router = Router(engine, config=MemoryConfigCache(package("a", "b"), states_wait_seconds=0.5))
    began = time.monotonic()
    for number in range(6):
        await router.open(request(f"msg_{number}", 4))
    assert router.shared() == {"a": 12, "b": 12}
    assert 0.5 <= time.monotonic() - began < 1.0


@pytest.mark.parametrize("broken", [r"\u0000", r"\ud83d"])
async def test_a_request_with_a_text_that_cannot_be_stored_is_rejected_with_its_field(
    router: Router, broken: str
) -> None:
    for event in (request("msg_1", 2), reply("201100000009")):
        envelope = encode(event, "caller", NOON)
        body = (envelope.body or b"").replace(b"Hello", f"Hello {broken}".encode())
        decoded = decode(envelope.topic, envelope.headers, body)
        match decoded:
            case OpenMessageRequested():
                await router.open(decoded)
            case ReplyMessageRequested():
                await router.reply(decoded)
            case _:
                pytest.fail("it is another event")
    outcomes = router.bus.of(DeliveryOutcome)
    assert [(each.status, (each.reason or "")[:14]) for each in outcomes] == [("rejected", "/content/text:")] * 3
    assert router.bus.of(ReplySettled)[0].reason == outcomes[-1].reason
    assert not router.bus.of(OpenDeliveriesAssigned)
    assert not router.bus.of(ReplyDeliveryAssigned)


async def test_a_request_with_a_callback_partition_that_does_not_exist_is_rejected_with_the_field(
    router: Router,
) -> None:
    """Its callback, which Kafka could never take, is not sent."""
    wrong = {"callback_partition": CALLBACK_PARTITIONS}
    await router.open(request("msg_1", 2).model_copy(update=wrong))
    await router.reply(reply("201100000009").model_copy(update=wrong))
    assert {type(event) for event in router.bus.published} == {DeliveryOutcome}
    reasons = {(each.status, each.reason) for each in router.bus.of(DeliveryOutcome)}
    assert reasons == {("rejected", f"/callback_partition: {CALLBACK_PARTITIONS} is not below {CALLBACK_PARTITIONS}")}
