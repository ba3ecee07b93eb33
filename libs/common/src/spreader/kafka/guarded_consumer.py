"""Boundary: the guard of a handler: it decodes, buries what is hopeless, and waits when it may get better."""

import asyncio
import random
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

import structlog
from faststream.kafka import KafkaBroker
from pydantic import ValidationError

from spreader.contract.events import DEAD_LETTER_TOPIC, Event
from spreader.kafka.bus import PublishFailed
from spreader.kafka.client import BATCH_RECORDS_MAX, KafkaBus, Reader, Record, Subscription, subscribe
from spreader.kafka.envelope import Envelope, UndecodableRecord, decode, read_headers
from spreader.runtime.postgres import is_transient
from spreader.settings import Settings
from spreader.telemetry.metrics import CONSUMED, CONSUMER_LAG, CONSUMER_OLDEST, DEAD_LETTERS, HANDLER_FAILURES
from spreader.telemetry.tracing import OFF, Tracing, closing, processing, with_span

log = structlog.get_logger()

E = TypeVar("E", bound=Event)

BACK_OFF_FIRST_SECONDS = 0.2
BACK_OFF_MAX_SECONDS = 5.0
TRIES_BEFORE_ISOLATION = 3
REASON_CHARACTERS_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Received(Generic[E]):
    """An event with its place in the log."""

    event: E
    topic: str
    partition: int
    offset: int


Handler = Callable[[Sequence[Received[E]]], Awaitable[None]]
Partition = tuple[str, int]
"""A partition: its topic and its number."""


@dataclass
class GuardedConsumer(Generic[E]):
    """One handler's guard; call `listen` before the broker starts.

    - A record that cannot be read goes to the dead letter, and the next one is handled.
    - A failure that may pass (a server is away) waits with back-off and raises: the offset stays.
    - Any other failure is tried again a few times; then the batch is handled record by record, and the one that still
      fails goes to the dead letter with its traceback. So one poisonous record cannot stop a partition.
    """

    group: str
    handle: Handler[E]
    accepts: tuple[type[E], ...]
    bus: KafkaBus
    tracing: Tracing = OFF
    """Each record gets a span, and its event goes on from there; without it the event stays as it came."""
    last_call: float = field(default_factory=time.monotonic, init=False)
    reader: Reader = field(default=lambda: None, init=False)
    under_way: Mapping[Partition, Record] = field(default_factory=dict[Partition, Record], init=False)
    """The first record of each partition in the batch that is being handled."""
    _failures: int = field(default=0, init=False)

    @property
    def topics(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(kind.topic for kind in self.accepts))

    def subscribe(
        self,
        broker: KafkaBroker,
        settings: Settings,
        records_max: int = BATCH_RECORDS_MAX,
        gather_ms: int = 0,
    ) -> None:
        """Subscribe to the topics of the accepted events; `gather_ms` as in Subscription."""
        for counter in (CONSUMED, DEAD_LETTERS, HANDLER_FAILURES):
            counter.labels(self.group)
        for topic in self.topics:
            CONSUMER_LAG.labels(self.group, topic)
            CONSUMER_OLDEST.labels(self.group, topic)
        subscription = Subscription(self.group, self.topics, records_max, gather_ms)
        self.reader = subscribe(broker, settings, subscription, self.on_records)

    async def on_records(self, records: Sequence[Record]) -> None:
        self.last_call = time.monotonic()
        self.under_way = {(each.topic, each.partition): each for each in reversed(records)}
        try:
            await self._on_records(records)
        finally:
            self.under_way = {}

    async def _on_records(self, records: Sequence[Record]) -> None:
        readable: list[tuple[Record, Received[E]]] = []
        hopeless: list[tuple[Record, Exception]] = []
        for record in records:
            try:
                readable.append((record, self._read(record)))
            except (ValidationError, UndecodableRecord) as error:
                hopeless.append((record, error))
        try:
            await self._handle(readable)
            for record, error in hopeless:  # after the rest: a batch that comes again buries nothing twice
                await self._bury(record, error)
        except Exception as error:
            await self._wait(error)
            raise
        self._failures = 0
        CONSUMED.labels(self.group).inc(len(records))

    def _read(self, record: Record) -> Received[E]:
        event = decode(record.topic, read_headers(record.headers), record.value)
        if not isinstance(event, self.accepts):
            raise UndecodableRecord(f"{self.group} does not read events of type {event.type}")
        return Received(event, record.topic, record.partition, record.offset)

    async def _handle(self, batch: Sequence[tuple[Record, Received[E]]]) -> None:
        if not batch:
            return
        try:
            await self._call([received for _, received in batch])
        except Exception as error:
            if _may_pass(error) or self._failures < TRIES_BEFORE_ISOLATION:
                raise
            await self._isolate(batch)

    async def _call(self, batch: Sequence[Received[E]]) -> None:
        if not self.tracing.on:
            await self.handle(batch)
            return
        spans = [self.tracing.begin(processing(self.group, each.event, each.partition, each.offset)) for each in batch]
        with closing(spans):
            traced = zip(batch, spans, strict=True)
            await self.handle([replace(each, event=with_span(each.event, span)) for each, span in traced])

    async def _isolate(self, batch: Sequence[tuple[Record, Received[E]]]) -> None:
        """Find the record that fails by handling each by itself; bury it."""
        for record, received in batch:
            try:
                await self._call([received])
            except Exception as error:
                if _may_pass(error):
                    raise
                await self._bury(record, error)

    async def _wait(self, error: BaseException) -> None:
        self._failures += 1
        HANDLER_FAILURES.labels(self.group).inc()
        seconds = min(BACK_OFF_FIRST_SECONDS * 2 ** min(self._failures - 1, 10), BACK_OFF_MAX_SECONDS)
        log.warning(
            "a batch failed and will be tried again",
            group=self.group, failures=self._failures, seconds=seconds, error=f"{type(error).__name__}: {error}",
        )  # fmt: skip
        await asyncio.sleep(seconds * random.uniform(0.5, 1))

    async def _bury(self, record: Record, error: Exception) -> None:
        reason = _reason(error)
        headers = {
            **read_headers(record.headers),
            "dead_letter_reason": reason[:REASON_CHARACTERS_MAX],
            "dead_letter_group": self.group,
            "dead_letter_topic": record.topic,
            "dead_letter_partition": str(record.partition),
            "dead_letter_offset": str(record.offset),
        }
        await self.bus.publish_envelopes(Envelope(DEAD_LETTER_TOPIC, record.key, record.value or b"", headers))
        DEAD_LETTERS.labels(self.group).inc()
        log.error(
            "a record was buried in the dead letter",
            group=self.group, topic=record.topic, partition=record.partition, offset=record.offset, reason=reason,
            exc_info=None if isinstance(error, ValidationError | UndecodableRecord) else error,
        )  # fmt: skip


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, PublishFailed) or is_transient(error)


def _reason(error: Exception) -> str:
    """What is wrong, without the record's own values: they may be a customer's words or number."""
    if isinstance(error, ValidationError):
        wrong = error.errors(include_url=False, include_input=False, include_context=False)
        return "; ".join(f"{'/'.join(map(str, each['loc'])) or 'body'}: {each['msg']}" for each in wrong)
    return "".join(traceback.format_exception_only(error)).strip()
