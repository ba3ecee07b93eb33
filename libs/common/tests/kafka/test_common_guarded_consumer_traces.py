"""Traces of a guarded consumer: one span for each record, and none when tracing is off."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest
from aiokafka import ConsumerRecord
from opentelemetry.trace import SpanKind, StatusCode
from topic_harness import NOON, alert

from spreader.clock import Clock
from spreader.contract.events import Alert
from spreader.kafka.client import KafkaBus, create_broker
from spreader.kafka.envelope import encode
from spreader.kafka.guarded_consumer import GuardedConsumer, Received
from spreader.kafka.subscription import Record
from spreader.settings import Settings
from spreader.telemetry.tracing import NO_TRACING, Tracing
from spreader.testing import RecordedSpans, parent_traceparent_of, recording_spans, traceparent_of

CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
async def memory() -> AsyncGenerator[RecordedSpans]:
    async with recording_spans() as memory:
        yield memory


class RecordingHandler:
    """A handler that keeps its events and fails `failures` times."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.got: list[Alert] = []

    async def __call__(self, batch: Sequence[Received[Alert]]) -> None:
        self.got = [each.event for each in batch]
        if self.failures:
            self.failures -= 1
            raise OSError("201001234567 is away")


def guarded_consumer(handler: RecordingHandler, tracing: Tracing) -> GuardedConsumer[Any]:
    bus = KafkaBus(create_broker(Settings(), "test"), "test", Clock())
    return GuardedConsumer("handler", handler, (Alert,), bus, tracing)


def record(event: Alert, offset: int) -> Record:
    envelope = encode(event, "test", NOON)
    headers = [(name, value.encode()) for name, value in envelope.headers.items()]
    return ConsumerRecord(
        Alert.topic,
        3,
        offset,
        0,
        0,
        envelope.key,
        envelope.body,
        0,
        len(envelope.key or b""),
        len(envelope.body or b""),
        headers,
    )


TRACED = alert(1).model_copy(update={"traceparent": CALLER})


async def test_each_record_is_a_span_below_its_event_and_the_parent_of_the_next(memory: RecordedSpans) -> None:
    handler = RecordingHandler()
    await guarded_consumer(handler, memory.tracing).on_records([record(TRACED, 7), record(alert(2), 8)])
    first, second = memory.spans
    assert (first.name, first.kind) == (f"process {Alert.topic}", SpanKind.CONSUMER)
    assert [parent_traceparent_of(first), parent_traceparent_of(second)] == [CALLER, None]
    assert [event.traceparent for event in handler.got] == [traceparent_of(first), traceparent_of(second)]
    assert dict(first.attributes or {}) == {
        "messaging.system": "kafka",
        "messaging.destination.name": Alert.topic,
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.consumer.group.name": "handler",
        "messaging.destination.partition.id": "3",
        "messaging.kafka.offset": 7,
        "spreader.package_id": "pkg_1",
        "spreader.profile_id": "prf_1",
    }


async def test_the_spans_of_a_failed_batch_are_failed_without_the_errors_text(
    memory: RecordedSpans, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spreader.kafka.guarded_consumer.BACK_OFF_FIRST_SECONDS", 0)
    handler = RecordingHandler(failures=1)
    guarded = guarded_consumer(handler, memory.tracing)
    with pytest.raises(OSError, match="away"):
        await guarded.on_records([record(TRACED, 7)])
    await guarded.on_records([record(TRACED, 7)])
    failed, done = memory.spans
    assert [each.status.status_code for each in (failed, done)] == [StatusCode.ERROR, StatusCode.UNSET]
    assert "201001234567" not in failed.to_json()


async def test_with_tracing_off_an_event_keeps_its_trace() -> None:
    handler = RecordingHandler()
    await guarded_consumer(handler, NO_TRACING).on_records([record(TRACED, 7), record(alert(2), 8)])
    assert [event.traceparent for event in handler.got] == [CALLER, None]
