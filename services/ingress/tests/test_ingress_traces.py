"""Traces: the HTTP request is the first span of a message, and all its events belong to this trace."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Any

import pytest
from opentelemetry.trace import SpanKind
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.core import delivery_updates
from ingress.core.receipts import ProfileReceipt
from ingress.core.reports import Echo, MessageReceipt
from ingress.sql.status import NewMessage
from ingress.status.handlers import StatusHandlers
from ingress.testing import System, running
from spreader.contract.content import TextContent
from spreader.contract.events import DeliveryOutcome, OpenMessageRequested, ReplyMessageRequested
from spreader.kafka.guarded_consumer import Received
from spreader.testing import RecordedSpans, parent_traceparent_of, recording_spans, traceparent_of

pytestmark = pytest.mark.postgres

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TEXT = {"type": "text", "text": "Hello, a word of our own"}


@pytest.fixture
async def memory() -> AsyncGenerator[RecordedSpans]:
    async with recording_spans("ingress") as memory:
        yield memory


@pytest.fixture
async def traced(engine: AsyncEngine, memory: RecordedSpans) -> AsyncGenerator[System]:
    async with running(engine, NOON, tracing=memory.tracing) as system:
        await system.package("a")
        memory.exporter.clear()
        yield system


async def test_a_reply_is_a_span_in_its_callers_trace_and_its_event_continues_it(
    traced: System, memory: RecordedSpans
) -> None:
    traced.bus.settles = "sent"
    body = {**TEXT, "recipient": "201000000011"}
    answer = await traced.http.post("/packages/pkg/messages/reply", json=body, headers={"traceparent": CALLER})
    (event,), (span,) = traced.bus.of(ReplyMessageRequested), memory.spans
    assert (parent_traceparent_of(span), traceparent_of(span)) == (CALLER, event.traceparent)
    assert (span.name, span.kind) == ("POST /api/v1/packages/{package_id}/messages/reply", SpanKind.SERVER)
    attributes = dict(span.attributes or {})
    assert attributes["spreader.message_id"] == answer.json()["message_id"]
    assert (attributes["spreader.lane"], attributes["http.response.status_code"]) == ("reply", 200)
    exported = span.to_json()
    assert "201000000011" not in exported
    assert TEXT["text"] not in exported


@pytest.mark.parametrize("traceparent", [None, "00-nonsense-01", CALLER.upper()])
async def test_a_request_without_a_valid_traceparent_starts_a_trace(
    traced: System, memory: RecordedSpans, traceparent: str | None
) -> None:
    body = {**TEXT, "recipients": ["201000000011"]}
    headers = {} if traceparent is None else {"traceparent": traceparent}
    await traced.http.post("/packages/pkg/messages/open", json=body, headers=headers)
    (event,), (span,) = traced.bus.of(OpenMessageRequested), memory.spans
    assert (parent_traceparent_of(span), traceparent_of(span)) == (None, event.traceparent)


async def test_all_outbox_records_of_a_large_message_have_one_trace(traced: System, memory: RecordedSpans) -> None:
    body = {**TEXT, "recipients": [f"2010{number:08}" for number in range(1_200)]}
    await traced.http.post("/packages/pkg/messages/open", json=body, headers={"Prefer": "respond-async"})
    await traced.relay_outbox()
    (span,) = memory.spans
    records = [each for each in traced.log.envelopes if each.topic == OpenMessageRequested.topic]
    assert [each.headers["traceparent"] for each in records] == [traceparent_of(span)] * 3


async def test_an_unauthorized_request_is_traced_too(traced: System, memory: RecordedSpans) -> None:
    answer = await traced.http.get("/packages/pkg", headers={"Authorization": "Bearer wrong"})
    (span,) = memory.spans
    assert (answer.status_code, (span.attributes or {})["http.response.status_code"]) == (401, 401)


async def test_without_tracing_a_callers_trace_still_continues_with_the_event(system: System) -> None:
    await system.package("a")
    for number, headers in enumerate(({"traceparent": CALLER}, {})):
        body: dict[str, Any] = {**TEXT, "recipient": f"20100000001{number}"}
        await system.http.post("/packages/pkg/messages/reply", json=body, headers=headers)
    assert [event.traceparent for event in system.bus.of(ReplyMessageRequested)] == [CALLER, None]


@pytest.mark.parametrize("early", [False, True], ids=["in time", "early"])
async def test_a_later_receipt_belongs_to_the_messages_trace(system: System, early: bool) -> None:
    requested = ReplyMessageRequested(
        traceparent=CALLER, package_id="pkg", message_id="msg_1", content=TextContent(type="text", text="Hi"),
        recipient="201000000011", requested_at=NOON,
    )  # fmt: skip
    sent = DeliveryOutcome(
        package_id="pkg", message_id="msg_1", delivery_id="dlv_1", recipient="201000000011", lane="reply",
        status="sent", at=NOON, profile_id="a", gateway_message_id="3EB0",
    )  # fmt: skip
    handlers = StatusHandlers(system.projection, system.receipts)
    read = ProfileReceipt("pkg", "a", MessageReceipt("3EB0", "read", NOON))

    async def know_the_delivery() -> None:
        await system.projection.fold_deliveries(delivery_updates.from_outcome(sent))
        await system.receipts.match_deliveries({"dlv_1"})

    await handlers.on_reply_requested([Received(requested, requested.topic, 0, 0)])
    steps = [know_the_delivery, lambda: system.receipts.take([read])]
    for step in reversed(steps) if early else steps:
        await step()
    assert [(each.status, each.traceparent) for each in system.bus.of(DeliveryOutcome)] == [("read", CALLER)]


async def test_an_echo_that_resolves_a_doubt_belongs_to_the_messages_trace(system: System) -> None:
    accepted = NewMessage("msg_1", "pkg", "open", "text", NOON, 1, traceparent=CALLER)
    unknown = DeliveryOutcome(
        package_id="pkg", message_id="msg_1", delivery_id="dlv_1", recipient="201000000011", lane="open",
        status="unknown", at=NOON, profile_id="a",
    )  # fmt: skip
    await system.projection.fold_messages([accepted])
    await system.projection.fold_deliveries(delivery_updates.from_outcome(unknown))
    await system.receipts.take([ProfileReceipt("pkg", "a", Echo("3EB0", "201000000011", NOON))])
    async with system.engine.begin() as connection:
        await connection.execute(text("UPDATE ingress.receipt_waiting SET kept_at = kept_at - interval '10 seconds'"))
    await system.receipts.match_recent()
    assert [(each.status, each.traceparent) for each in system.bus.of(DeliveryOutcome)] == [("sent", CALLER)]
