"""Tracing: the spans of a message on its way from HTTP to the gateway. Off, unless a collector is named.

A span never holds a recipient or a word of a message, and of an error its type alone: its text may hold either.
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
"""How long a service that stops waits for the collector to take the last spans."""
IDS = ("message_id", "delivery_id", "package_id", "profile_id", "lane", "attempt", "release")
"""The fields of an event that a span may show: those that name no person."""


class Provider(Protocol):
    """What makes spans and hands them on: the SDK's TracerProvider."""

    def get_tracer(self, instrumenting_module_name: str, /) -> trace.Tracer: ...
    def shutdown(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Step:
    """What a span will be. `parent`: the traceparent of what led to it; None begins a trace."""

    name: str
    kind: SpanKind
    parent: str | None
    attributes: Mapping[str, str | int] = field(default_factory=dict[str, "str | int"])
    is_linked: bool = False
    """Linked to its parent as well: it may come long after it."""


class Tracing:
    """A part; first of all to start and last to stop. Off, it costs its callers a look at `on`."""

    def __init__(self, make: Callable[[], Provider] | None = None) -> None:
        self.name = "tracing"
        self._make = make
        self._provider: Provider | None = None
        self._tracer: trace.Tracer | None = None

    @classmethod
    def of(cls, service: str, settings: Settings) -> "Tracing":
        endpoint = settings.otlp_endpoint
        return cls() if endpoint is None else cls(lambda: _to_collector(service, settings, endpoint))

    @property
    def on(self) -> bool:
        return self._tracer is not None

    def begin(self, step: Step) -> Span:
        """A span, for the caller to end; one that records nothing where tracing is off, or the trace is not sampled."""
        if self._tracer is None:
            return trace.INVALID_SPAN
        above = None if step.parent is None else _place(step.parent)
        links = [Link(above)] if step.is_linked and above is not None else None
        return self._tracer.start_span(step.name, _below(above), step.kind, step.attributes, links)

    @contextlib.contextmanager
    def within(self, step: Step) -> Generator[Span]:
        """The span of all that the block does; log lines written there carry its trace."""
        span = self.begin(step)
        with closing([span]), at(span):
            yield span

    async def start(self) -> None:
        if self._make is not None:
            self._provider = self._make()
            self._tracer = self._provider.get_tracer("spreader")

    async def stop(self) -> None:
        """Wait a little for the last spans to go out, in a thread that may be left behind."""
        provider, self._provider, self._tracer = self._provider, None, None
        if provider is None:
            return
        loop, flushed = asyncio.get_running_loop(), asyncio.Event()

        def flush() -> None:
            provider.shutdown()
            with contextlib.suppress(RuntimeError):  # it took too long, and the loop is closed
                loop.call_soon_threadsafe(flushed.set)

        threading.Thread(target=flush, name="flush spans", daemon=True).start()
        try:
            async with asyncio.timeout(FLUSH_SECONDS):
                await flushed.wait()
        except TimeoutError:
            log.warning("the collector did not take the last spans in time; they are lost", seconds=FLUSH_SECONDS)

    def not_ready_reason(self) -> str | None:
        return None  # a collector that is away is no reason not to send

    def is_live(self) -> bool:
        return True


OFF = Tracing()
"""For whoever is given no other."""


def with_span(event: E, span: Span) -> E:
    """The event as what the span did: whoever reads it goes on from there."""
    return event.model_copy(update={"traceparent": _written(span.get_span_context())})


def here() -> str | None:
    """The traceparent of what this task is doing; None outside of any trace."""
    return _written(trace.get_current_span().get_span_context())


def note(**ids: str) -> None:
    """Put names that only turned up now on the span of this task."""
    span = trace.get_current_span()
    if span.is_recording():
        span.set_attributes({f"spreader.{name}": value for name, value in ids.items()})


@contextlib.contextmanager
def at(span: Span) -> Generator[None]:
    """The block happens in this span."""
    token = context.attach(trace.set_span_in_context(span))
    try:
        yield
    finally:
        context.detach(token)


@contextlib.contextmanager
def closing(spans: Sequence[Span]) -> Generator[None]:
    """The spans end with the block, as failed where it raises."""
    try:
        yield
    except BaseException as error:
        for span in spans:
            fail(span, type(error).__name__)
        raise
    finally:
        for span in spans:
            span.end()


def fail(span: Span, why: str) -> None:
    span.set_attribute("error.type", why)
    span.set_status(Status(StatusCode.ERROR))


def unrecorded(traceparent: str) -> Span:
    """A span that another process records."""
    return NonRecordingSpan(_place(traceparent) or trace.INVALID_SPAN_CONTEXT)


def processing(group: str, event: Event, partition: int, offset: int) -> Step:
    """A record of Kafka that a service works on, by the words that OpenTelemetry has for it."""
    return Step(
        f"process {event.topic}",
        SpanKind.CONSUMER,
        event.traceparent,
        {
            **messaging("process", event),
            "messaging.consumer.group.name": group,
            "messaging.destination.partition.id": str(partition),
            "messaging.kafka.offset": offset,
        },
    )


def messaging(operation: str, event: Event) -> dict[str, str | int]:
    found = {f"spreader.{name}": value for name in IDS if (value := getattr(event, name, None)) is not None}
    return {
        "messaging.system": "kafka",
        "messaging.destination.name": event.topic,
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        **found,
    }


def _to_collector(service: str, settings: Settings, endpoint: str) -> Provider:
    from spreader.telemetry.exporter import batches, provider  # it takes half a second to load: only where it is used

    return provider(service, settings.instance, settings.trace_share, batches(endpoint))


def _below(above: SpanContext | None) -> context.Context:
    """A fresh context: a span's parent is what its event says, whatever this task is doing."""
    fresh = context.Context()
    return fresh if above is None else trace.set_span_in_context(NonRecordingSpan(above), fresh)


def _place(traceparent: str) -> SpanContext | None:
    """None for a text that is no traceparent."""
    said = valid_traceparent(traceparent)
    if said is None:
        return None
    _, trace_id, span_id, flags = said.split("-")
    return SpanContext(int(trace_id, 16), int(span_id, 16), True, TraceFlags(int(flags, 16)))


def _written(place: SpanContext) -> str | None:
    if not place.is_valid:
        return None
    return f"00-{place.trace_id:032x}-{place.span_id:016x}-{place.trace_flags:02x}"
