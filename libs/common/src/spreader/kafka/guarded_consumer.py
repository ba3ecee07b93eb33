"""Guarded consumer: decodes records, tries failed batches again, and sends bad records to the dead letter topic."""

import asyncio
import random
import time
import traceback
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Generic, TypeVar

import structlog
from aiokafka import TopicPartition
from faststream.kafka import KafkaBroker
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from spreader.contract.events import COMPACTED, Event
from spreader.kafka.bus import PublishFailed
from spreader.kafka.client import KafkaBus
from spreader.kafka.dead_letter import send_to_dead_letter
from spreader.kafka.envelope import (
    FIRST_WRITTEN,
    Envelope,
    UndecodableRecord,
    decode,
    first_written,
    read_headers,
    source_of,
)
from spreader.kafka.subscription import (
    BATCH_RECORDS_MAX,
    NO_GATHERING,
    Gathering,
    Reader,
    Record,
    Subscription,
    subscribe,
)
from spreader.runtime.failure_streak import FailureStreak
from spreader.runtime.group_write import write_in_parts
from spreader.runtime.postgres import is_data_error, is_transient
from spreader.settings import Settings
from spreader.telemetry.metrics import CONSUMED, CONSUMER_LAG, CONSUMER_OLDEST, DEAD_LETTERS, HANDLER_FAILURES
from spreader.telemetry.tracing import NO_TRACING, Tracing, closing, consumer_span, with_span

log = structlog.get_logger()

E = TypeVar("E", bound=Event)
E_co = TypeVar("E_co", bound=Event, covariant=True)

BACK_OFF_FIRST_SECONDS = 0.2
BACK_OFF_MAX_SECONDS = 5.0
TRIES_BEFORE_ISOLATION = 3
DECODED_AT_ONCE_BYTES = 64 * 1024
"""How many bytes a consumer decodes before it lets other work of its process run. A larger record is decoded by
itself."""


@dataclass(frozen=True, slots=True)
class Received(Generic[E_co]):
    """An event and where its record was in Kafka."""

    event: E_co
    topic: str
    partition: int
    offset: int
    written_at: datetime | None = None
    """The wall time at which the event was first written to Kafka. It is None only in tests."""


class RecreatedTopic(ConnectionError):
    """The topic of these partitions was created again, so the consumer must read them from their beginning. No record
    of the batch has had an effect yet."""

    def __init__(self, partitions: Collection["Partition"]) -> None:
        super().__init__(f"these partitions are of a topic that was created again: {sorted(partitions)}")
        self.partitions = frozenset(partitions)


Handler = Callable[[Sequence[Received[E]]], Awaitable[None]]
Ends = Callable[[E, str], Sequence[Event]]
"""Returns the events that end what a record asks for. The second argument is the reason."""
Partition = tuple[str, int]
"""A topic and the number of one of its partitions."""


@dataclass
class GuardedConsumer(Generic[E]):
    """Guards one handler. Call `subscribe` before the broker starts.

    - A record that cannot be decoded goes to the dead letter topic, and the next one is handled.
    - After a transient failure (a server is down) it backs off and raises the error, so the batch is read again.
    - After any other failure it tries the batch again a few times, and then handles ever smaller parts of the batch. If
      Postgres refuses a value or a constraint is broken, it handles smaller parts at once, because such an error does
      not pass. A record that still fails goes to the dead letter topic with its traceback, so it cannot block its
      partition.
    """

    group: str
    handle: Handler[E]
    accepts: tuple[type[E], ...]
    bus: KafkaBus
    tracing: Tracing = NO_TRACING
    """With tracing, each record gets a span, and its event carries that span to the handler."""
    ends: Ends[E] | None = None
    """Makes the events that end the deliveries of a record that Postgres refuses. Such a record is not replayed."""
    ignored_publisher: str | None = None
    """The consumer skips the records that this service published. It is the handler's own service, so it knows them
    already. None: no record is skipped."""
    last_call: float = field(default_factory=time.monotonic, init=False)
    reader: Reader = field(default=lambda: None, init=False)
    in_progress: Mapping[Partition, Record] = field(default_factory=dict[Partition, Record], init=False)
    """The first record of each partition in the batch that is being handled."""
    streak: FailureStreak = field(default_factory=FailureStreak, init=False)
    _to_rewind: set[str] = field(default_factory=set[str], init=False)

    @property
    def topics(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(kind.topic for kind in self.accepts))

    def subscribe(
        self,
        broker: KafkaBroker,
        settings: Settings,
        records_max: int = BATCH_RECORDS_MAX,
        gathering: Gathering = NO_GATHERING,
    ) -> None:
        """Subscribe to the topics of the accepted events."""
        for counter in (CONSUMED, DEAD_LETTERS, HANDLER_FAILURES):
            counter.labels(self.group)
        for topic in self.topics:
            CONSUMER_LAG.labels(self.group, topic)
            CONSUMER_OLDEST.labels(self.group, topic)
        subscription = Subscription(self.group, self.topics, records_max, gathering)
        self.reader = subscribe(broker, settings, subscription, self.on_records)

    def rewind(self, topic: str) -> None:
        """Read a topic from the beginning, because it was created again. If a batch is in progress and fails,
        FastStream may seek back to that batch. So the next batch makes the consumer seek to the beginning once more."""
        if self.in_progress:
            self._to_rewind.add(topic)
        self._seek(dict.fromkeys(self._partitions_of({topic}), 0))

    async def on_records(self, records: Sequence[Record]) -> None:
        self.last_call = time.monotonic()
        self.in_progress = {(record.topic, record.partition): record for record in reversed(records)}
        try:
            if self._to_rewind:
                raise RecreatedTopic(self._partitions_of(self._to_rewind))
            await self._on_records(records)
        except RecreatedTopic as recreated:
            # FastStream then commits the positions set here, because this method returns without an error.
            firsts = {partition: record.offset for partition, record in self.in_progress.items()}
            self._seek({**firsts, **dict.fromkeys(recreated.partitions, 0)})
            self._to_rewind.clear()
        finally:
            self.in_progress = {}

    def _partitions_of(self, topics: Collection[str]) -> list[Partition]:
        reader = self.reader()
        assigned = set[TopicPartition]() if reader is None else reader.assignment()
        return [(partition.topic, partition.partition) for partition in assigned if partition.topic in topics]

    def _seek(self, offsets: Mapping[Partition, int]) -> None:
        """Read on from these offsets. A partition that another member of the group has now is left out. If Kafka has
        deleted the record at an offset, reading begins at the first record that Kafka still has."""
        reader = self.reader()
        for (topic, number), offset in offsets.items():
            partition = TopicPartition(topic, number)
            if reader is not None and partition in reader.assignment():
                reader.seek(partition, offset)

    async def _on_records(self, records: Sequence[Record]) -> None:
        readable: list[tuple[Record, Received[E]]] = []
        undecodable: list[tuple[Record, Exception]] = []
        size = 0
        for record in self._wanted(records):
            size += len(record.value or b"")
            if size > DECODED_AT_ONCE_BYTES:
                await asyncio.sleep(0)
                size = len(record.value or b"")
            try:
                readable.append((record, self._decode(record)))
            except (ValidationError, UndecodableRecord) as error:
                undecodable.append((record, error))
        try:
            await self._handle(readable)
            for record, error in undecodable:  # sent last, because a batch that fails is read again
                await self._send_to_dead_letter(record, error)
        except RecreatedTopic:
            raise
        except Exception as error:
            await self._back_off(error)
            raise
        self.streak.succeeded()
        CONSUMED.labels(self.group).inc(len(records))

    def _wanted(self, records: Sequence[Record]) -> Sequence[Record]:
        """The records without tombstones, which only make Kafka forget older records, and without those of
        `ignored_publisher`."""
        wanted = [record for record in records if record.value is not None or record.topic not in COMPACTED]
        if self.ignored_publisher is None:
            return wanted
        ignored = ("ce_source", source_of(self.ignored_publisher).encode())
        return [record for record in wanted if ignored not in record.headers]

    def _decode(self, record: Record) -> Received[E]:
        event = decode(record.topic, read_headers(record.headers), record.value)
        if not isinstance(event, self.accepts):
            raise UndecodableRecord(f"{self.group} does not read events of type {event.type}")
        return Received(event, record.topic, record.partition, record.offset, first_written(record))

    async def _handle(self, batch: Sequence[tuple[Record, Received[E]]]) -> None:
        if not batch:
            return
        try:
            await self._call([received for _, received in batch])
        except Exception as error:
            wrong_row = isinstance(error, DBAPIError) and is_data_error(error)
            if _is_transient(error) or (not wrong_row and self.streak.count < TRIES_BEFORE_ISOLATION):
                raise
            await self._isolate(batch)

    async def _call(self, batch: Sequence[Received[E]]) -> None:
        if not self.tracing.on:
            await self.handle(batch)
            return
        spans = [
            self.tracing.start_span(consumer_span(self.group, received.event, received.partition, received.offset))
            for received in batch
        ]
        with closing(spans):
            traced = zip(batch, spans, strict=True)
            await self.handle([replace(received, event=with_span(received.event, span)) for received, span in traced])

    async def _isolate(self, batch: Sequence[tuple[Record, Received[E]]]) -> None:
        """Handle ever smaller parts of the batch. A record that fails by itself goes to the dead letter topic."""

        async def call(part: Sequence[tuple[Record, Received[E]]]) -> None:
            await self._call([received for _, received in part])

        async def set_aside(failed: tuple[Record, Received[E]], error: Exception) -> None:
            record, received = failed
            is_ended = self.ends is not None and isinstance(error, DBAPIError) and is_data_error(error)
            if self.ends is not None and is_ended:
                await self.bus.publish(*self.ends(received.event, f"Postgres refuses it: {type(error).__name__}"))
            await self._send_to_dead_letter(record, error, is_ended)

        await write_in_parts(batch, call, set_aside, _is_transient)

    async def _back_off(self, error: BaseException) -> None:
        self.streak.failed(error)
        HANDLER_FAILURES.labels(self.group).inc()
        seconds = min(BACK_OFF_FIRST_SECONDS * 2 ** min(self.streak.count - 1, 10), BACK_OFF_MAX_SECONDS)
        log.warning(
            "handling a batch failed; trying again",
            group=self.group,
            failures=self.streak.count,
            seconds=seconds,
            error=f"{type(error).__name__}: {error}",
        )
        await asyncio.sleep(seconds * random.uniform(0.5, 1))

    async def _send_to_dead_letter(self, record: Record, error: Exception, is_ended: bool = False) -> None:
        reason = _reason(error)
        origin = {
            "partition": str(record.partition),
            "offset": str(record.offset),
            **({"ended": "1"} if is_ended else {}),
        }
        headers = {**read_headers(record.headers), FIRST_WRITTEN: first_written(record).isoformat()}
        envelope = Envelope(record.topic, record.key, record.value, headers)
        await send_to_dead_letter(self.bus, envelope, reason, self.group, origin)
        log.error(
            "a record cannot be processed; sent it to the dead letter topic (see `python -m spreader replay`)",
            group=self.group,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            reason=reason,
            exc_info=None if isinstance(error, ValidationError | UndecodableRecord) else error,
        )


def _is_transient(error: BaseException) -> bool:
    return isinstance(error, PublishFailed) or is_transient(error)


def _reason(error: Exception) -> str:
    """What is wrong, without the values in the record, because they may be a customer's text or phone number."""
    if isinstance(error, ValidationError):
        errors = error.errors(include_url=False, include_input=False, include_context=False)
        return "; ".join(f"{'/'.join(map(str, detail['loc'])) or 'body'}: {detail['msg']}" for detail in errors)
    return "".join(traceback.format_exception_only(error)).strip()
