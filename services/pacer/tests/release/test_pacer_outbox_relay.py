"""Outbox relay: a release is in the trace of its message, however long the delivery was held."""

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


async def test_a_release_days_later_is_a_child_of_the_intake_span_and_linked_to_it(
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
    exported = span.to_json()
    assert event.recipient not in exported
    assert "Hello" not in exported


async def test_deliveries_that_end_in_the_queue_get_no_span_and_their_outcomes_carry_the_trace(
    pacer: Pacer, memory: RecordedSpans
) -> None:
    await pacer.hold(assigned(5).model_copy(update={"traceparent": HELD}))
    await pacer.cancel("msg_1")
    await pacer.relay()
    assert [each.traceparent for each in pacer.bus.of(DeliveryOutcome)] == [HELD] * 5
    assert not memory.spans


async def test_a_failed_publish_is_repeated_with_a_span_of_its_own(pacer: Pacer, memory: RecordedSpans) -> None:
    await pacer.hold(assigned(1).model_copy(update={"traceparent": HELD}))
    pacer.bus.away = True
    with pytest.raises(PublishFailed):
        await pacer.release()
    pacer.bus.away = False
    await pacer.relay()
    failed, repeated = memory.spans
    assert [each.status.status_code for each in (failed, repeated)] == [StatusCode.ERROR, StatusCode.UNSET]
    assert [each.traceparent for each in pacer.bus.of(DeliveryReleased)] == [traceparent_of(repeated)]
    assert parent_traceparent_of(failed) == parent_traceparent_of(repeated) == HELD


async def test_without_tracing_a_release_carries_the_trace_unchanged(pacer: Pacer) -> None:
    await pacer.hold(assigned(1).model_copy(update={"traceparent": HELD}))
    assert [event.traceparent for event in await pacer.release()] == [HELD]
    assert pacer.now == START
