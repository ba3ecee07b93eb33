"""Traces on the running system: each message has one complete trace, from the HTTP request to the gateway."""

from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import pytest
from e2e.collector import Collector, RecordedSpan, run_collector
from e2e.system import RunningSystem, eventually, recipients

from spreader.contract.events import (
    DeliveryReleased,
    OpenDeliveriesAssigned,
    OpenMessageRequested,
    ReplyMessageRequested,
)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

CALLER_TRACE, CALLER_SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SPANS_SECONDS = 30.0

HTTP = ("ingress", "SERVER", "POST /api/v1/packages/{package_id}/messages/")
GATEWAY = ("simulator", "SERVER", "POST /profiles/{account}/messages")


@pytest.fixture
async def collector() -> AsyncGenerator[Collector]:
    async with run_collector() as collector:
        yield collector


@pytest.fixture
async def traced(tmp_path: Path, collector: Collector) -> AsyncGenerator[RunningSystem]:
    """A system that sends its spans to the collector. Stops it if a failed test left it running."""
    system = RunningSystem(tmp_path / "home", extra_environment={"SPREADER_OTLP_ENDPOINT": collector.address})
    yield system
    if system.is_running:
        await system.stop()


async def test_a_reply_and_a_campaign_are_one_trace_each(traced: RunningSystem, collector: Collector) -> None:
    await traced.start()
    await traced.create_package("traced", 3)
    customer, *people = recipients(4)

    reply = {"type": "text", "text": "Yes, tomorrow", "recipient": customer}
    answered = await traced.ask("POST", "/packages/traced/messages/reply", reply)
    assert (answered.status, answered.body["status"]) == (200, "sent"), answered.body
    spans = await _trace(collector, answered.body["message_id"], 4)
    assert _hops(spans) == {
        (*HTTP[:2], f"{HTTP[2]}reply"): 1,
        ("router", "CONSUMER", f"process {ReplyMessageRequested.topic}"): 1,
        ("sender", "CLIENT", "send simulator"): 1,
        GATEWAY: 1,
    }
    assert _parents_elsewhere(spans) == {""}

    opening = {"type": "text", "text": "Our new offers", "recipients": people}
    traceparent = f"00-{CALLER_TRACE}-{CALLER_SPAN}-01"
    opened = await traced.ask("POST", "/packages/traced/messages/open", opening, traceparent=traceparent)
    assert opened.status == 202, opened.body
    spans = await _trace(collector, opened.body["message_id"], 12)
    assert _hops(spans) == {
        (*HTTP[:2], f"{HTTP[2]}open"): 1,
        ("router", "CONSUMER", f"process {OpenMessageRequested.topic}"): 1,
        ("pacer", "CONSUMER", f"process {OpenDeliveriesAssigned.topic}"): 1,
        ("pacer", "PRODUCER", f"send {DeliveryReleased.topic}"): 3,
        ("sender", "CLIENT", "send simulator"): 3,
        GATEWAY: 3,
    }
    assert {each.trace_id for each in spans} == {CALLER_TRACE}
    assert _parents_elsewhere(spans) == {CALLER_SPAN}

    assert await traced.stop() == 0
    exported = b"".join(collector.raw)
    assert [number for number in recipients(4) if number.encode() in exported] == []
    assert b"offers" not in exported


async def _trace(collector: Collector, message_id: str, spans: int) -> Sequence[RecordedSpan]:
    async def arrived() -> Sequence[RecordedSpan]:
        return collector.trace_of(message_id)

    return await eventually(arrived, SPANS_SECONDS, lambda seen: len(seen) >= spans)


def _hops(spans: Sequence[RecordedSpan]) -> Counter[tuple[str, str, str]]:
    return Counter((each.service, each.kind, each.name) for each in spans)


def _parents_elsewhere(spans: Sequence[RecordedSpan]) -> set[str]:
    """The parents that are not among the spans: the parent of the first span, and any missing span."""
    ids = {each.span_id for each in spans}
    return {each.parent for each in spans if each.parent not in ids}
