"""Testing: fakes of the common ports, for the tests of every service; no production module imports this one."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext
from sqlalchemy.ext.asyncio import AsyncConnection

from spreader.contract.events import Event
from spreader.kafka.bus import PublishFailed
from spreader.kafka.envelope import encode
from spreader.kafka.guarded_consumer import Received
from spreader.telemetry.exporter import provider
from spreader.telemetry.tracing import Tracing

E = TypeVar("E", bound=Event)


@dataclass
class MemoryBus:
    """A bus that keeps what was published; `away` makes it refuse, as a broker that is down does."""

    now: datetime
    published: list[Event] = field(default_factory=list)
    away: bool = False

    async def publish(self, *events: Event) -> None:
        if self.away:
            raise PublishFailed("the bus is away")
        for event in events:
            encode(event, "test", self.now)
        self.published.extend(events)

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.published if isinstance(event, kind)]


class MemoryTable(Generic[E]):
    """A compacted table that a test fills by hand."""

    def __init__(self, rows: Mapping[str, E] | None = None) -> None:
        self._rows = dict(rows or {})
        self._changed = asyncio.Event()

    @property
    def rows(self) -> Mapping[str, E]:
        return self._rows

    def get(self, key: str) -> E | None:
        return self._rows.get(key)

    def not_ready_reason(self) -> str | None:
        return None

    def set(self, key: str, event: E | None) -> None:
        if event is None:
            self._rows.pop(key, None)
        else:
            self._rows[key] = event
        self._changed.set()

    async def wait_for(self, satisfied: Callable[[], bool], timeout: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while not satisfied():
                    self._changed.clear()
                    await self._changed.wait()
        return satisfied()


@dataclass
class ManualClock:
    """A clock that stands still until a test moves it."""

    moment: datetime

    def __call__(self) -> datetime:
        return self.moment

    def forward(self, duration: timedelta) -> None:
        self.moment += duration


class NoDeduplication:
    """Positions of a reader that has read nothing: whoever passes a batch twice gets it twice."""

    async def unseen(self, connection: AsyncConnection, batch: Sequence[Received[E]]) -> list[Received[E]]:
        return list(batch)


@dataclass
class FakeProgress:
    """Reads `behind` times that something is still unread, then that all is."""

    behind: int = 0
    asked: int = 0

    async def ends(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        return dict.fromkeys(partitions, 1)

    async def has_read(self, topic: str, ends: Mapping[int, int]) -> bool:
        self.asked += 1
        return self.asked > self.behind


@dataclass(frozen=True)
class RecordedSpans:
    """Tracing that keeps its spans, in the order in which they end."""

    tracing: Tracing
    exporter: InMemorySpanExporter

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        return self.exporter.get_finished_spans()


def place(span: ReadableSpan) -> str:
    """The traceparent that an event of this span carries."""
    return _written(span.context)


def above(span: ReadableSpan) -> str | None:
    """The traceparent of its parent; None: it is the first of its trace."""
    return None if span.parent is None else _written(span.parent)


def _written(place: SpanContext | None) -> str:
    assert place is not None
    return f"00-{place.trace_id:032x}-{place.span_id:016x}-{place.trace_flags:02x}"


@contextlib.asynccontextmanager
async def recording_spans(service: str = "test", share: float = 1.0) -> AsyncGenerator[RecordedSpans]:
    exporter = InMemorySpanExporter()
    tracing = Tracing(lambda: provider(service, None, share, SimpleSpanProcessor(exporter)))
    await tracing.start()
    try:
        yield RecordedSpans(tracing, exporter)
    finally:
        await tracing.stop()
