"""Tracing: the spans of a message on its way from HTTP to the gateway. It is off unless a collector is configured.

A span never contains a recipient or the text of a message. When an error occurs, it contains only the error's type,
because the error's text may contain a recipient or a message.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import structlog
from opentelemetry import context, trace
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from spreader.contract.events import Event
from spreader.settings import Settings
from spreader.telemetry.traceparent import valid_traceparent

log = structlog.get_logger()

E = TypeVar("E", bound=Event)

FLUSH_SECONDS = 3.0
"""A service that stops waits this long for the collector to accept the last spans."""
IDS = ("message_id", "delivery_id", "package_id", "profile_id", "lane", "attempt", "release")
"""The fields of an event that a span may contain: they identify no person."""


class SpanProvider(Protocol):
    """The part of the SDK's TracerProvider that is used here."""

    def get_tracer(self, instrumenting_module_name: str, /) -> trace.Tracer: ...
    def shutdown(self) -> None: ...


@dataclass(frozen=True, slots=True)
class SpanSpec:
    """A span before it starts. `parent` is the traceparent of its cause. None: the span starts a trace."""

    name: str
    kind: SpanKind
    parent: str | None
    attributes: Mapping[str, str | int] = field(default_factory=dict[str, "str | int"])
    is_linked: bool = False
    """Whether the span also gets a link to its parent, because it may start long after the parent has ended."""


class Tracing:
    """A component that starts first and stops last. Without `make`, tracing is off and costs nothing."""

    def __init__(self, make: Callable[[], SpanProvider] | None = None) -> None:
        self.name = "tracing"
        self._make = make
        self._provider: SpanProvider | None = None
        self._tracer: trace.Tracer | None = None

    @classmethod
    def of(cls, service: str, settings: Settings) -> "Tracing":
        endpoint = settings.otlp_endpoint
        return cls() if endpoint is None else cls(lambda: _exporting_provider(service, settings, endpoint))

    @property
    def on(self) -> bool:
        return self._tracer is not None

    def start_span(self, spec: SpanSpec) -> Span:
        """A started span, which the caller ends. It records nothing when tracing is off or the trace is not sampled."""
        if self._tracer is None:
            return trace.INVALID_SPAN
        parent = None if spec.parent is None else _span_context(spec.parent)
        links = [Link(parent)] if spec.is_linked and parent is not None else None
        return self._tracer.start_span(spec.name, _context_below(parent), spec.kind, spec.attributes, links)

    @contextlib.contextmanager
    def span(self, spec: SpanSpec) -> Generator[Span]:
        """The block runs in this span, and its log lines contain the trace id."""
        span = self.start_span(spec)
        with closing([span]), active(span):
            yield span

    async def start(self) -> None:
        if self._make is not None:
            self._provider = self._make()
            self._tracer = self._provider.get_tracer("spreader")

    async def stop(self) -> None:
        """Flush the last spans for at most FLUSH_SECONDS, in a thread that may be left behind."""
        provider, self._provider, self._tracer = self._provider, None, None
        if provider is None:
            return
        loop, flushed = asyncio.get_running_loop(), asyncio.Event()

        def flush() -> None:
            provider.shutdown()
            with contextlib.suppress(RuntimeError):  # the flush took too long, and the loop is closed
                loop.call_soon_threadsafe(flushed.set)

        threading.Thread(target=flush, name="flush spans", daemon=True).start()
        try:
            async with asyncio.timeout(FLUSH_SECONDS):
                await flushed.wait()
        except TimeoutError:
            log.warning("the collector did not accept the last spans in time; dropping them", seconds=FLUSH_SECONDS)

    def not_ready_reason(self) -> str | None:
        return None  # without a collector, messages are sent all the same

    def is_live(self) -> bool:
        return True


NO_TRACING = Tracing()


def with_span(event: E, span: Span) -> E:
    """The event with this span as its cause, so that the event's readers continue the trace from this span."""
    return event.model_copy(update={"traceparent": _traceparent(span.get_span_context())})


def current_traceparent() -> str | None:
    """The traceparent of the current task's span. None: the task is in no trace."""
    return _traceparent(trace.get_current_span().get_span_context())


def annotate(**ids: str) -> None:
    """Add ids to the current task's span. Call this for ids that were not known when the span started."""
    span = trace.get_current_span()
    if span.is_recording():
        span.set_attributes({f"spreader.{name}": value for name, value in ids.items()})


@contextlib.contextmanager
def active(span: Span) -> Generator[None]:
    """The span is the current one inside the block."""
    token = context.attach(trace.set_span_in_context(span))
    try:
        yield
    finally:
        context.detach(token)


@contextlib.contextmanager
def closing(spans: Sequence[Span]) -> Generator[None]:
    """The spans end with the block. When the block raises, the spans are marked as failed."""
    try:
        yield
    except BaseException as error:
        for span in spans:
            mark_failed(span, type(error).__name__)
        raise
    finally:
        for span in spans:
            span.end()


def mark_failed(span: Span, error_type: str) -> None:
    span.set_attribute("error.type", error_type)
    span.set_status(Status(StatusCode.ERROR))


def remote_span(traceparent: str) -> Span:
    """A span that another process records."""
    return NonRecordingSpan(_span_context(traceparent) or trace.INVALID_SPAN_CONTEXT)


def consumer_span(group: str, event: Event, partition: int, offset: int) -> SpanSpec:
    """The span of processing a record, by OpenTelemetry's semantic conventions for messaging."""
    return SpanSpec(
        f"process {event.topic}",
        SpanKind.CONSUMER,
        event.traceparent,
        {
            **messaging_attributes("process", event),
            "messaging.consumer.group.name": group,
            "messaging.destination.partition.id": str(partition),
            "messaging.kafka.offset": offset,
        },
    )


def messaging_attributes(operation: str, event: Event) -> dict[str, str | int]:
    ids = {f"spreader.{name}": value for name in IDS if (value := getattr(event, name, None)) is not None}
    return {
        "messaging.system": "kafka",
        "messaging.destination.name": event.topic,
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        **ids,
    }


def _exporting_provider(service: str, settings: Settings, endpoint: str) -> SpanProvider:
    # Imported here: it takes half a second to load, and most processes do not need it.
    from spreader.telemetry.exporter import batch_processor, tracer_provider

    return tracer_provider(service, settings.instance, settings.trace_share, batch_processor(endpoint))


def _context_below(parent: SpanContext | None) -> context.Context:
    """A context that contains only the parent, so that the span of the current task does not become the parent."""
    empty = context.Context()
    return empty if parent is None else trace.set_span_in_context(NonRecordingSpan(parent), empty)


def _span_context(text: str) -> SpanContext | None:
    """None when the text is not a valid traceparent."""
    traceparent = valid_traceparent(text)
    if traceparent is None:
        return None
    _, trace_id, span_id, flags = traceparent.split("-")
    return SpanContext(int(trace_id, 16), int(span_id, 16), True, TraceFlags(int(flags, 16)))


def _traceparent(span_context: SpanContext) -> str | None:
    if not span_context.is_valid:
        return None
    return f"00-{span_context.trace_id:032x}-{span_context.span_id:016x}-{span_context.trace_flags:02x}"
