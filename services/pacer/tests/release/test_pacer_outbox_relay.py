"""Traces of the pacer: a release goes on in the trace of its message, however long the delivery was held."""

from collections.abc import AsyncGenerator
from datetime import timedelta

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from pacer.testing import START, Pacer, assigned
from spreader.contract.events import DeliveryOutcome, DeliveryReleased
from spreader.kafka.bus import PublishFailed
from spreader.testing import RecordedSpans, parent_traceparent_of, recording_spans, traceparent_of

pytestmark = pytest.mark.postgres

HELD = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
async def memory(pacer: Pacer) -> AsyncGenerator[RecordedSpans]:
    async with recording_spans("pacer") as memory:
        pacer.tracing = memory.tracing
        yield memory


async def test_a_release_days_later_is_below_the_span_that_took_it_in_and_linked_to_it(
    pacer: Pacer, memory: RecordedSpans
) -> None:
    await pacer.hold(assigned(1).model_copy(update={"traceparent": HELD}))
    pacer.now += timedelta(days=2)
    (event,), (span,) = await pacer.release(), memory.spans
    assert (parent_traceparent_of(span), traceparent_of(span)) == (HELD, event.traceparent)
    assert [link.context for link in span.links] == [span.parent]
    assert (span.name, span.kind) == (f"send {DeliveryReleased.topic}", SpanKind.PRODUCER)
    attributes = dict(span.attributes or {})
    assert (attributes["spreader.delivery_id"], attributes["spreader.held_seconds"]) == (event.delivery_id, 172_800)
    assert (attributes["messaging.system"], attributes["messaging.operation.type"]) == ("kafka", "send")
    told = span.to_json()
    assert event.recipient not in told
    assert "Hello" not in told


async def test_what_ends_in_the_queue_by_thousands_leaves_no_spans_and_its_outcomes_carry_the_trace(
    pacer: Pacer, memory: RecordedSpans
) -> None:
    await pacer.hold(assigned(5).model_copy(update={"traceparent": HELD}))
    await pacer.cancel("msg_1")
    await pacer.relay()
    assert [each.traceparent for each in pacer.bus.of(DeliveryOutcome)] == [HELD] * 5
    assert not memory.spans


async def test_a_release_that_kafka_does_not_take_is_told_again_by_a_span_of_its_own(
    pacer: Pacer, memory: RecordedSpans
) -> None:
    await pacer.hold(assigned(1).model_copy(update={"traceparent": HELD}))
    pacer.bus.away = True
    with pytest.raises(PublishFailed):
        await pacer.release()
    pacer.bus.away = False
    await pacer.relay()
    failed, told = memory.spans
    assert [each.status.status_code for each in (failed, told)] == [StatusCode.ERROR, StatusCode.UNSET]
    assert [each.traceparent for each in pacer.bus.of(DeliveryReleased)] == [traceparent_of(told)]
    assert parent_traceparent_of(failed) == parent_traceparent_of(told) == HELD


async def test_off_a_release_carries_the_trace_as_it_came(pacer: Pacer) -> None:
    await pacer.hold(assigned(1).model_copy(update={"traceparent": HELD}))
    assert [event.traceparent for event in await pacer.release()] == [HELD]
    assert pacer.now == START
