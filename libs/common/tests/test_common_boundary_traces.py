"""A boundary's traces: a span for each record that a handler works on, and none where nobody asked for them."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest
from aiokafka import ConsumerRecord
from kafka_post import NOON, alert
from opentelemetry.trace import SpanKind, StatusCode

from spreader.clock import Clock
from spreader.contract.events import Alert
from spreader.kafka.client import KafkaBus, Record, create_broker
from spreader.kafka.envelope import encode
from spreader.kafka.guarded_consumer import GuardedConsumer, Received
from spreader.settings import Settings
from spreader.telemetry.tracing import NO_TRACING, Tracing
from spreader.testing import RecordedSpans, parent_traceparent_of, recording_spans, traceparent_of

CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
async def memory() -> AsyncGenerator[RecordedSpans]:
    async with recording_spans() as memory:
        yield memory


class Clerk:
    """A handler that keeps what it got, and fails as often as it is told to."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.got: list[Alert] = []

    async def __call__(self, batch: Sequence[Received[Alert]]) -> None:
        self.got = [each.event for each in batch]
        if self.failures:
            self.failures -= 1
            raise OSError("201001234567 is away")


def boundary(clerk: Clerk, tracing: Tracing) -> GuardedConsumer[Any]:
    bus = KafkaBus(create_broker(Settings(), "test"), "test", Clock())
    return GuardedConsumer("clerk", clerk, (Alert,), bus, tracing)


def record(event: Alert, offset: int) -> Record:
    envelope = encode(event, "test", NOON)
    headers = [(name, value.encode()) for name, value in envelope.headers.items()]
    return ConsumerRecord(
        Alert.topic, 3, offset, 0, 0, envelope.key, envelope.body, 0, len(envelope.key or b""),
        len(envelope.body or b""), headers,
    )  # fmt: skip


TRACED = alert(1).model_copy(update={"traceparent": CALLER})


async def test_each_record_is_a_span_below_its_event_and_its_event_goes_on_from_there(memory: RecordedSpans) -> None:
    clerk = Clerk()
    await boundary(clerk, memory.tracing).on_records([record(TRACED, 7), record(alert(2), 8)])
    first, second = memory.spans
    assert (first.name, first.kind) == (f"process {Alert.topic}", SpanKind.CONSUMER)
    assert [parent_traceparent_of(first), parent_traceparent_of(second)] == [CALLER, None]
    assert [event.traceparent for event in clerk.got] == [traceparent_of(first), traceparent_of(second)]
    assert dict(first.attributes or {}) == {
        "messaging.system": "kafka", "messaging.destination.name": Alert.topic,
        "messaging.operation.name": "process", "messaging.operation.type": "process",
        "messaging.consumer.group.name": "clerk", "messaging.destination.partition.id": "3",
        "messaging.kafka.offset": 7, "spreader.package_id": "pkg_1", "spreader.profile_id": "prf_1",
    }  # fmt: skip


async def test_a_batch_that_fails_shows_its_spans_as_failed_and_none_of_the_errors_words(
    memory: RecordedSpans, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spreader.kafka.guarded_consumer.BACK_OFF_FIRST_SECONDS", 0)
    clerk = Clerk(failures=1)
    guarded = boundary(clerk, memory.tracing)
    with pytest.raises(OSError, match="away"):
        await guarded.on_records([record(TRACED, 7)])
    await guarded.on_records([record(TRACED, 7)])
    failed, done = memory.spans
    assert [each.status.status_code for each in (failed, done)] == [StatusCode.ERROR, StatusCode.UNSET]
    assert "201001234567" not in failed.to_json()


async def test_off_an_event_comes_as_it_was_written() -> None:
    clerk = Clerk()
    await boundary(clerk, NO_TRACING).on_records([record(TRACED, 7), record(alert(2), 8)])
    assert [event.traceparent for event in clerk.got] == [CALLER, None]
