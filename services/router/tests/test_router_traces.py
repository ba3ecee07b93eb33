"""Traces of the router: every event of a request carries its trace."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from router.core.routing import ProfileSnapshot, route_record, terminal_outcomes
from router.core.terminal_outcome import TerminalOutcome
from router.pending_assignments import PendingAssignments
from router.postgres import RoutingStore
from router.reassignment import Reassignment
from router.testing import MemoryConfigCache
from spreader.clock import Clock
from spreader.contract.configuration import Gateway, Package, Profile
from spreader.contract.content import TextContent
from spreader.contract.events import DeliveryReturned, Event, Lane, OpenMessageRequested, ReplyMessageRequested
from spreader.kafka.guarded_consumer import Received
from spreader.phone.canonical import person_key
from spreader.testing import MemoryBus

NOON = datetime(2026, 2, 10, 12, tzinfo=UTC)
HERE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TEXT = TextContent(type="text", text="Hello")
GATEWAY = Gateway(driver="simulator", base_url="http://127.0.0.1:1", account="a")
PROFILES = tuple(Profile(profile_id=each, name=each, phone="201000000001", gateway=GATEWAY) for each in ("a", "b"))
PACKAGE = Package(package_id="one", version=1, name="One", profiles=PROFILES)


def traces(events: Sequence[Event]) -> set[str | None]:
    assert events
    return {event.traceparent for event in events}


@pytest.mark.parametrize("package", [PACKAGE, None], ids=["suppressed", "refused"])
def test_terminal_outcomes_carry_the_trace_of_their_request(package: Package | None) -> None:
    request = OpenMessageRequested(
        traceparent=HERE, package_id="one", message_id="msg_1", content=TEXT, requested_at=NOON,
        recipients=("201000000011", "201000000012", "201000000013"),
    )  # fmt: skip
    suppressed = {person_key("201000000012"): "it is on the list"}
    routing, _ = route_record(request, package, ProfileSnapshot(), "", random.Random(1), None, suppressed)
    events = [event for outcome in terminal_outcomes(request, routing) for event in outcome.events(NOON)]
    assert len(events) == (1 if package else 3)
    assert traces(events) == {HERE}


def test_every_event_of_a_rejected_reply_carries_its_trace() -> None:
    request = ReplyMessageRequested(
        traceparent=HERE, package_id="one", message_id="msg_1", content=TEXT, recipient="201000000011",
        requested_at=NOON, callback_partition=3,
    )  # fmt: skip
    events = TerminalOutcome.of_reply(request, "nobody can send it").events(NOON)
    assert (len(events), traces(events)) == (2, {HERE})


@pytest.mark.postgres
@pytest.mark.parametrize("lane", ["open", "reply"])
@pytest.mark.parametrize("tried", [("a",), ("a", "b")], ids=["goes on", "ends"])
async def test_a_returned_delivery_keeps_its_trace(engine: AsyncEngine, lane: Lane, tried: tuple[str, ...]) -> None:
    bus = MemoryBus(NOON)
    handler = Reassignment(RoutingStore(engine), bus, MemoryConfigCache(PACKAGE), Clock(), PendingAssignments())
    returned = DeliveryReturned(
        traceparent=HERE, package_id="one", message_id="msg_1", delivery_id="dlv_1", recipient="201000000011",
        lane=lane, content=TEXT, attempt=len(tried), tried=tried, reason="the profile is blocked", requested_at=NOON,
        expires_at=NOON + timedelta(days=4_000), callback_partition=3,
    )  # fmt: skip
    await handler.on_returned([Received(returned, returned.topic, 0, 0)])
    assert traces(bus.published) == {HERE}
