"""Traces of the ingress: the HTTP request is the first span of a message, and every event of it says so."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Any

import pytest
from opentelemetry.trace import SpanKind
from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.testing import System, running
from spreader.events import OpenMessageRequested, ReplyMessageRequested
from spreader.testing import Remembered, above, place, remembering

pytestmark = pytest.mark.postgres

CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TEXT = {"type": "text", "text": "Hello, a word of our own"}


@pytest.fixture
async def memory() -> AsyncGenerator[Remembered]:
    async with remembering("ingress") as memory:
        yield memory


@pytest.fixture
async def traced(engine: AsyncEngine, memory: Remembered) -> AsyncGenerator[System]:
    async with running(engine, datetime(2026, 6, 1, 12, tzinfo=UTC), tracing=memory.tracing) as system:
        await system.package("a")
        memory.exporter.clear()
        yield system


async def test_a_reply_is_a_span_in_its_callers_trace_and_its_event_goes_on_from_there(
    traced: System, memory: Remembered
) -> None:
    traced.bus.settles = "sent"
    body = {**TEXT, "recipient": "201000000011"}
    answer = await traced.http.post("/packages/pkg/messages/reply", json=body, headers={"traceparent": CALLER})
    (event,), (span,) = traced.bus.of(ReplyMessageRequested), memory.spans
    assert (above(span), place(span)) == (CALLER, event.traceparent)
    assert (span.name, span.kind) == ("POST /api/v1/packages/{package_id}/messages/reply", SpanKind.SERVER)
    attributes = dict(span.attributes or {})
    assert attributes["spreader.message_id"] == answer.json()["message_id"]
    assert (attributes["spreader.lane"], attributes["http.response.status_code"]) == ("reply", 200)
    told = span.to_json()
    assert "201000000011" not in told
    assert TEXT["text"] not in told


@pytest.mark.parametrize("said", [None, "00-nonsense-01", CALLER.upper()])
async def test_without_a_trace_that_can_be_read_one_begins(
    traced: System, memory: Remembered, said: str | None
) -> None:
    body = {**TEXT, "recipients": ["201000000011"]}
    headers = {} if said is None else {"traceparent": said}
    await traced.http.post("/packages/pkg/messages/open", json=body, headers=headers)
    (event,), (span,) = traced.bus.of(OpenMessageRequested), memory.spans
    assert (above(span), place(span)) == (None, event.traceparent)


async def test_all_records_of_a_large_message_are_of_one_trace_on_their_way_through_the_outbox(
    traced: System, memory: Remembered
) -> None:
    body = {**TEXT, "recipients": [f"2010{number:08}" for number in range(1_200)]}
    await traced.http.post("/packages/pkg/messages/open", json=body, headers={"Prefer": "respond-async"})
    await traced.relayed()
    (span,) = memory.spans
    records = [each for each in traced.log.envelopes if each.topic == OpenMessageRequested.topic]
    assert [each.headers["traceparent"] for each in records] == [place(span)] * 3


async def test_who_shows_no_key_is_seen_as_well(traced: System, memory: Remembered) -> None:
    answer = await traced.http.get("/packages/pkg", headers={"Authorization": "Bearer wrong"})
    (span,) = memory.spans
    assert (answer.status_code, (span.attributes or {})["http.response.status_code"]) == (401, 401)


async def test_off_a_callers_trace_still_goes_on_with_the_event(system: System) -> None:
    await system.package("a")
    for number, headers in enumerate(({"traceparent": CALLER}, {})):
        body: dict[str, Any] = {**TEXT, "recipient": f"20100000001{number}"}
        await system.http.post("/packages/pkg/messages/reply", json=body, headers=headers)
    assert [event.traceparent for event in system.bus.of(ReplyMessageRequested)] == [CALLER, None]
