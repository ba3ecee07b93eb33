"""Tracing: spans find their trace, reveal no secret and delay nothing; off, it costs nothing."""

import asyncio
import json
import sys
import threading
import time
from collections.abc import AsyncGenerator, Generator

import pytest
import structlog
from opentelemetry.trace import INVALID_SPAN, SpanKind, StatusCode
from topic_harness import alert

from spreader.settings import Settings
from spreader.telemetry.logging import configure_logs
from spreader.telemetry.tracing import SpanSpec, Tracing, annotate, closing, current_traceparent, with_span
from spreader.testing import RecordedSpans, parent_traceparent_of, recording_spans, traceparent_of

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = f"00-{TRACE}-00f067aa0ba902b7-01"
UNSAMPLED = f"00-{TRACE}-00f067aa0ba902b7-00"
LEFT_SECONDS = 30.0


@pytest.fixture
async def memory() -> AsyncGenerator[RecordedSpans]:
    async with recording_spans() as memory:
        yield memory


def step(parent: str | None = None, *, is_linked: bool = False) -> SpanSpec:
    return SpanSpec("process spreader.test", SpanKind.CONSUMER, parent, {"spreader.message_id": "msg_1"}, is_linked)


def test_a_span_continues_the_trace_of_its_event(memory: RecordedSpans) -> None:
    memory.tracing.start_span(step(CALLER)).end()
    (span,) = memory.spans
    assert (parent_traceparent_of(span), span.kind) == (CALLER, SpanKind.CONSUMER)
    assert traceparent_of(span).startswith(f"00-{TRACE}-")
    assert dict(span.attributes or {}) == {"spreader.message_id": "msg_1"}
    assert not span.links


@pytest.mark.parametrize("parent", [None, "", "nonsense", "00-a-b-01", f"00-{'0' * 32}-{'0' * 16}-01"])
def test_without_a_parent_a_trace_starts(memory: RecordedSpans, parent: str | None) -> None:
    memory.tracing.start_span(step(parent, is_linked=True)).end()
    (span,) = memory.spans
    assert (span.parent, span.links) == (None, ())


def test_a_span_long_after_its_parent_is_also_linked_to_it(memory: RecordedSpans) -> None:
    memory.tracing.start_span(step(CALLER, is_linked=True)).end()
    (span,) = memory.spans
    assert [link.context for link in span.links] == [span.parent]


def test_a_span_is_the_current_one_within_its_block(memory: RecordedSpans) -> None:
    assert current_traceparent() is None
    with memory.tracing.span(step(CALLER)) as outer:
        assert current_traceparent() == f"00-{TRACE}-{outer.get_span_context().span_id:016x}-01"
        annotate(delivery_id="dlv_1")
    assert current_traceparent() is None
    (span,) = memory.spans
    assert (span.attributes or {})["spreader.delivery_id"] == "dlv_1"


def test_a_failed_span_contains_the_type_of_the_error_and_not_its_text(memory: RecordedSpans) -> None:
    with pytest.raises(ValueError, match="201001234567"), memory.tracing.span(step()):
        raise ValueError("201001234567 said: call me")
    (span,) = memory.spans
    assert (span.status.status_code, (span.attributes or {})["error.type"]) == (StatusCode.ERROR, "ValueError")
    assert "201001234567" not in span.to_json()
    assert not span.events


def test_the_spans_of_a_batch_fail_together(memory: RecordedSpans) -> None:
    spans = [memory.tracing.start_span(step(CALLER)), memory.tracing.start_span(step())]
    with pytest.raises(OSError, match="away"), closing(spans):
        raise OSError("away")
    assert [each.status.status_code for each in memory.spans] == [StatusCode.ERROR] * 2


async def test_the_callers_sampling_decision_holds_whatever_our_share() -> None:
    async with recording_spans(share=0) as none, recording_spans(share=1) as all_:
        for memory in (none, all_):
            for parent in (None, CALLER, UNSAMPLED):
                memory.tracing.start_span(step(parent)).end()
        assert [span.parent is not None for span in none.spans] == [True]
        assert [span.parent is not None for span in all_.spans] == [False, True]


async def test_a_trace_that_is_not_sampled_is_passed_on_as_such() -> None:
    async with recording_spans(share=0) as memory:
        with memory.tracing.span(step()):
            flags = (current_traceparent() or "").rpartition("-")[2]
            assert int(flags, 16) & 1 == 0


@pytest.mark.parametrize("endpoint", [None, ""])
async def test_off_nothing_is_recorded_and_no_thread_runs(
    endpoint: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty variable, which containers have where nothing is chosen, is none."""
    if endpoint is not None:
        monkeypatch.setenv("SPREADER_OTLP_ENDPOINT", endpoint)
    tracing, threads = Tracing.of("test", Settings()), threading.active_count()
    await tracing.start()
    assert (tracing.on, tracing.start_span(step(CALLER))) == (False, INVALID_SPAN)
    with tracing.span(step(CALLER)):
        assert current_traceparent() is None
    await tracing.stop()
    assert threading.active_count() == threads


async def test_off_the_exporter_is_not_imported() -> None:
    loaded = "import sys, spreader.telemetry.tracing; print('opentelemetry.sdk.trace' in sys.modules)"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", loaded, stdout=asyncio.subprocess.PIPE)
    assert (await process.communicate())[0].strip() == b"False"


@pytest.fixture
async def silent_collector() -> AsyncGenerator[str]:
    """It accepts connections and never responds."""
    gone = asyncio.Event()

    async def swallow(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await gone.wait()
        writer.close()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    gone.set()
    server.close()
    await server.wait_closed()


@pytest.fixture
def _no_thread_is_left() -> Generator[None]:
    """Wait for exporters that still try: their random pauses would disturb the random draws of later tests."""
    before = set(threading.enumerate())
    yield
    left = set(threading.enumerate()) - before
    for thread in left:
        thread.join(LEFT_SECONDS)
    assert [thread.name for thread in left if thread.is_alive()] == []


@pytest.mark.usefixtures("_no_thread_is_left")
@pytest.mark.parametrize("is_there", [True, False], ids=["silent", "not there"])
async def test_a_collector_that_accepts_nothing_delays_nothing(
    silent_collector: str, is_there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spreader.telemetry.tracing.FLUSH_SECONDS", 0.2)
    monkeypatch.setattr("spreader.telemetry.exporter.EXPORT_SECONDS", 1.0)
    endpoint = silent_collector if is_there else "http://127.0.0.1:9"
    tracing = Tracing.of("test", Settings(otlp_endpoint=endpoint))
    await tracing.start()
    began = time.monotonic()
    for _ in range(5_000):  # more than the queue holds
        tracing.start_span(step(CALLER)).end()
    made = time.monotonic()
    assert (tracing.not_ready_reason(), tracing.is_live()) == (None, True)
    await tracing.stop()
    assert made - began < 5  # a thousandth of what one export may take, for each of them
    assert time.monotonic() - made < 2  # all that the queue holds would take eight exports


def test_a_log_line_contains_its_trace_id(memory: RecordedSpans, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("INFO")
    with memory.tracing.span(step(CALLER)):
        structlog.get_logger().info("within")
    structlog.get_logger().info("outside")
    within, outside = map(json.loads, capsys.readouterr().out.splitlines())
    assert (within["trace_id"], "trace_id" in outside) == (TRACE, False)


def test_an_event_carries_what_was_done_to_it(memory: RecordedSpans) -> None:
    with memory.tracing.span(step(CALLER)) as span:
        assert with_span(alert(1), span).traceparent == current_traceparent()
    assert with_span(alert(1).model_copy(update={"traceparent": CALLER}), INVALID_SPAN).traceparent is None
