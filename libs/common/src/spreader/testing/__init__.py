"""Testing: fakes of the common ports for all tests. Shipped modules must not import it."""

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

import uvicorn
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext
from sqlalchemy import Engine
from sqlalchemy import event as sql_event
from sqlalchemy.ext.asyncio import AsyncConnection

from spreader.clock import Clock
from spreader.contract.events import Event
from spreader.kafka.bus import PublishFailed
from spreader.kafka.client import KafkaBus, create_broker, partitions_of
from spreader.kafka.envelope import Envelope, encode
from spreader.kafka.guarded_consumer import Received
from spreader.kafka.topic_state import EndOffsets
from spreader.runtime.bounded_connection import BoundedConnection
from spreader.runtime.stalled_reader import protocol_with_stall_limit
from spreader.settings import Settings
from spreader.telemetry.exporter import tracer_provider
from spreader.telemetry.tracing import Tracing

E = TypeVar("E", bound=Event)


@dataclass
class MemoryBus:
    """A bus that keeps the published events. While `away` is true, publishing fails as if the broker were down."""

    now: datetime
    published: list[Event] = field(default_factory=list)
    tombstones: list[Envelope] = field(default_factory=list)
    away: bool = False

    async def publish(self, *events: Event) -> None:
        if self.away:
            raise PublishFailed("the bus is down")
        for event in events:
            encode(event, "test", self.now)
        self.published.extend(events)

    async def publish_envelopes(self, *envelopes: Envelope) -> None:
        """Keeps tombstones. No test needs another record."""
        assert all(envelope.body is None for envelope in envelopes)
        if self.away:
            raise PublishFailed("the bus is down")
        self.tombstones.extend(envelopes)

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.published if isinstance(event, kind)]


@contextlib.asynccontextmanager
async def kafka_bus(kafka_servers: str) -> AsyncGenerator[KafkaBus]:
    broker = create_broker(Settings(kafka_bootstrap_servers=kafka_servers), "test")
    await broker.start()
    try:
        yield KafkaBus(broker, "test", Clock())
    finally:
        await broker.stop()


async def record_counts(kafka_servers: str, *topics: str) -> Counter[str]:
    """How many records have been written to each topic."""
    settings, counts = Settings(kafka_bootstrap_servers=kafka_servers), Counter[str]()
    ends = EndOffsets(settings)
    for partition, end in (await ends.of(await partitions_of(settings, *topics))).items():
        counts[partition.topic] += end
    await ends.close()
    return counts


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

    async def wait_until_read(self, satisfied: Callable[[], bool], timeout: float) -> bool:
        """Returns at once, because this table never has unread records."""
        return satisfied()


@dataclass
class ManualClock:
    """A clock that a test moves."""

    moment: datetime

    def __call__(self) -> datetime:
        return self.moment

    def forward(self, duration: timedelta) -> None:
        self.moment += duration


class NoDeduplication:
    """A deduplicator that drops nothing."""

    async def unseen(self, connection: AsyncConnection, batch: Sequence[Received[E]]) -> list[Received[E]]:
        return list(batch)


@dataclass
class FakeProgress:
    """In the first `behind` calls, it reports unread records. In later calls, it reports that all are consumed."""

    behind: int = 0
    calls: int = 0

    async def ends(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        return dict.fromkeys(partitions, 1)

    async def has_read(self, topic: str, ends: Mapping[int, int]) -> bool:
        self.calls += 1
        return self.calls > self.behind


@dataclass
class SqlCount:
    """What this process sent to Postgres."""

    statements: list[str] = field(default_factory=list[str])
    """Includes BEGIN, COMMIT and ROLLBACK, because each of them is a round trip too."""
    transactions: int = 0


@contextlib.contextmanager
def counted_sql() -> Generator[SqlCount]:
    """Count the statements and transactions of all engines of this process while the block runs."""
    count, execute = SqlCount(), BoundedConnection.execute

    def on_statement(connection: Any, cursor: object, statement: str, *_: object) -> None:
        count.statements.append(statement)
        count.transactions += connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"

    async def counted_execute(
        connection: BoundedConnection, query: str, *args: Any, timeout: float | None = None
    ) -> str:
        """SQLAlchemy calls this for BEGIN, COMMIT and ROLLBACK only."""
        count.statements.append(query)
        count.transactions += query.startswith("BEGIN")
        return await execute(connection, query, *args, timeout=timeout)

    sql_event.listen(Engine, "before_cursor_execute", on_statement)
    setattr(BoundedConnection, "execute", counted_execute)  # noqa: B010 - its type does not allow the assignment
    try:
        yield count
    finally:
        setattr(BoundedConnection, "execute", execute)  # noqa: B010 - as above
        sql_event.remove(Engine, "before_cursor_execute", on_statement)


@contextlib.contextmanager
def prepared_sql() -> Generator[list[str]]:
    """The statements that this process prepares while the block runs."""
    prepared, prepare = list[str](), BoundedConnection.prepare

    async def noted_prepare(connection: BoundedConnection, query: str, **options: Any) -> Any:
        prepared.append(query)
        return await prepare(connection, query, **options)

    setattr(BoundedConnection, "prepare", noted_prepare)  # noqa: B010 - as above
    try:
        yield prepared
    finally:
        setattr(BoundedConnection, "prepare", prepare)  # noqa: B010 - as above


@contextlib.asynccontextmanager
async def serving(app: Any, stall_seconds: float = 60.0, send_buffer: int | None = None) -> AsyncGenerator[str]:
    """Serve an ASGI application on a socket; yields its address. `send_buffer`: the bytes that the kernel buffers for a
    client that reads slowly. `app` has started already, or needs no start."""
    protocol = protocol_with_stall_limit(stall_seconds)
    config = uvicorn.Config(app, log_config=None, ws="none", lifespan="off", http=protocol, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as bound:
        if send_buffer is not None:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        serve = asyncio.create_task(server.serve([bound]))
        try:
            yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serve


class SlowReader:
    """An HTTP client that reads a response only when a test calls `rest`, from small buffers."""

    def __init__(self, url: str, path: str, headers: Mapping[str, str]) -> None:
        self._url = urlsplit(url)
        lines = [f"GET {path} HTTP/1.1", f"Host: {self._url.netloc}", "Connection: close"]
        self._request = "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers.items()), "", ""])
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.setblocking(False)

    async def start(self) -> bytes:
        """Send the request; returns the first bytes of the response."""
        loop = asyncio.get_running_loop()
        await loop.sock_connect(self._socket, (self._url.hostname, self._url.port))
        await loop.sock_sendall(self._socket, self._request.encode())
        return await loop.sock_recv(self._socket, 1)

    async def rest(self) -> tuple[bytes, bool]:
        """Read until the connection ends; returns the body of the response, and whether it is complete."""
        received = bytearray()
        with contextlib.suppress(ConnectionResetError):
            while piece := await asyncio.get_running_loop().sock_recv(self._socket, 65_536):
                received += piece
        head, _, chunks = bytes(received).partition(b"\r\n\r\n")
        assert b" 200 OK" in head
        body, place = bytearray(), 0
        while (line_end := chunks.find(b"\r\n", place)) >= 0:
            length = int(chunks[place:line_end], 16)
            if length == 0:
                return bytes(body), True
            body += chunks[line_end + 2 : line_end + 2 + length]
            place = line_end + 2 + length + 2
        return bytes(body), False

    def close(self) -> None:
        self._socket.close()


@dataclass(frozen=True)
class RecordedSpans:
    """Tracing whose spans a test can read, in the order in which they ended."""

    tracing: Tracing
    exporter: InMemorySpanExporter

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        return self.exporter.get_finished_spans()


def traceparent_of(span: ReadableSpan) -> str:
    """The traceparent of an event that this span caused."""
    return _traceparent(span.context)


def parent_traceparent_of(span: ReadableSpan) -> str | None:
    """The traceparent of the span's parent. None: the span is the first of its trace."""
    return None if span.parent is None else _traceparent(span.parent)


def _traceparent(span_context: SpanContext | None) -> str:
    assert span_context is not None
    return f"00-{span_context.trace_id:032x}-{span_context.span_id:016x}-{span_context.trace_flags:02x}"


@contextlib.asynccontextmanager
async def recording_spans(service: str = "test", share: float = 1.0) -> AsyncGenerator[RecordedSpans]:
    exporter = InMemorySpanExporter()
    tracing = Tracing(lambda: tracer_provider(service, None, share, SimpleSpanProcessor(exporter)))
    await tracing.start()
    try:
        yield RecordedSpans(tracing, exporter)
    finally:
        await tracing.stop()
