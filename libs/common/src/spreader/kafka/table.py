"""Table: the newest event of each key of a compacted topic, held in memory by every instance that reads it."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from pydantic import ValidationError

from spreader.clock import wall_now
from spreader.contract.events import Event
from spreader.kafka.client import BROKER_ERRORS, partitions_of
from spreader.kafka.envelope import UndecodableRecord, decode, read_headers
from spreader.kafka.groupless_consumer import GrouplessConsumer
from spreader.kafka.subscription import Record
from spreader.kafka.topic_state import EndOffsets, TopicIds
from spreader.settings import Settings
from spreader.telemetry.metrics import TABLE_ROWS

log = structlog.get_logger()

E = TypeVar("E", bound=Event)

POLL_MS = 5_000
POLL_RECORDS_MAX = 1_000
TOPIC_CHECK_SECONDS = 5.0


class Table(GrouplessConsumer, Generic[E]):
    """Reads its topic from the beginning. It is ready once it has read everything that was there when it started."""

    def __init__(
        self, settings: Settings, kind: type[E], on_change: Callable[[str, E | None], None] | None = None
    ) -> None:
        super().__init__(settings, "earliest")
        self.name = f"table of {kind.topic}"
        self._kind = kind
        self._on_change = on_change
        self._rows: dict[str, E] = {}
        self._caught_up = False
        self._positions: dict[TopicPartition, int] = {}
        self._started_at = 0.0
        self._ends = EndOffsets(settings)
        self._topic_ids = TopicIds(settings)
        self._topic_id = ""
        self._checked_at = 0.0
        self._changed = asyncio.Event()
        TABLE_ROWS.labels(kind.topic)

    @property
    def rows(self) -> Mapping[str, E]:
        return self._rows

    def get(self, key: str) -> E | None:
        return self._rows.get(key)

    async def wait_for(self, satisfied: Callable[[], bool], timeout: float) -> bool:
        """Wait until `satisfied()`, which is checked after each change of the table. Returns False after `timeout`
        seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while not satisfied():
                    self._changed.clear()
                    await self._changed.wait()
        return satisfied()

    @property
    def silent_seconds(self) -> float:
        """For how many seconds of wall time Kafka has not answered a fetch of records. An empty answer counts as an
        answer.

        Of several partitions, the one without an answer for the longest time counts.
        """
        if self._consumer is None:
            return 0.0  # the table is not started, which `not_ready_reason` reports
        answers = [self._consumer.last_poll_timestamp(partition) for partition in self._positions]
        last = min((answer / 1000 for answer in answers if answer is not None), default=self._started_at)
        return max(wall_now().timestamp() - last, 0.0)

    async def wait_until_read(self, satisfied: Callable[[], bool], timeout: float) -> bool:
        """Wait until `satisfied()`, or until everything that is now in the topic has been read. Returns `satisfied()`.

        So the wait for a row that does not exist ends as soon as all these records have been read.
        """
        if not satisfied():
            with contextlib.suppress(TimeoutError, *BROKER_ERRORS):
                async with asyncio.timeout(timeout):
                    await self._wait_until_read(satisfied, timeout)
        return satisfied()

    async def _wait_until_read(self, satisfied: Callable[[], bool], timeout: float) -> None:
        if self._consumer is None:
            return
        ends = await self._ends.of(self._positions)
        await self.wait_for(lambda: satisfied() or self._has_read(ends), timeout)

    def _has_read(self, ends: Mapping[TopicPartition, int]) -> bool:
        return all(self._positions[partition] >= end for partition, end in ends.items())

    def replace(self, key: str, event: E) -> bool:
        """Make `event` the row of its key, unless the row has a newer version. Returns whether it is the row now."""
        if _is_older(event, self._rows.get(key)):
            return False
        self._rows[key] = event
        return True

    def drop(self, key: str) -> None:
        """Take the row of this key out of the table."""
        self._rows.pop(key, None)

    async def start(self) -> None:
        self._caught_up = False
        self._started_at = wall_now().timestamp()
        await super().start()
        self._caught_up = True

    async def stop(self) -> None:
        await super().stop()
        await self._ends.close()
        await self._topic_ids.close()

    async def seek(self, consumer: AIOKafkaConsumer) -> None:
        self._topic_id = await self._id_of_topic()
        partitions = await partitions_of(self._settings, self._kind.topic)
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        self._positions = {partition: await consumer.position(partition) for partition in partitions}
        while not self._has_read(ends):
            await self.poll(consumer)

    def not_ready_reason(self) -> str | None:
        return super().not_ready_reason() if self._caught_up else "it has not read all of its topic yet"

    async def poll(self, consumer: AIOKafkaConsumer) -> None:
        if self._caught_up and time.monotonic() - self._checked_at >= TOPIC_CHECK_SECONDS:
            await self._check_topic(consumer)
        polled = await consumer.getmany(timeout_ms=POLL_MS, max_records=POLL_RECORDS_MAX)
        for records in polled.values():
            for record in records:
                self._apply(record)
        if polled:
            self._positions = {partition: await consumer.position(partition) for partition in self._positions}
            TABLE_ROWS.labels(self._kind.topic).set(len(self._rows))
            self._changed.set()

    async def _check_topic(self, consumer: AIOKafkaConsumer) -> None:
        """If the topic was created again, read it from its beginning. Otherwise the reader would go on at its old
        offset.

        Rows without versions, such as profile states, are dropped. Stats needs this: it has a table of the states that
        it published, and publishes an unchanged state again only if the table does not contain it. Rows with versions
        (packages) stay, because a package goes away only by the record of its removal.
        """
        self._checked_at = time.monotonic()
        try:
            topic_id = await self._id_of_topic()
        except (OSError, TimeoutError):
            return  # Kafka is away: see `silent_seconds`
        if topic_id in ("", self._topic_id):
            return
        log.warning("a topic was created again; reading it from the beginning", topic=self._kind.topic)
        self._topic_id = topic_id
        for key in [key for key, row in self._rows.items() if row.row_version is None]:
            self.drop(key)
        await consumer.seek_to_beginning(*self._positions)
        self._positions = dict.fromkeys(self._positions, 0)

    async def _id_of_topic(self) -> str:
        """The topic's id. It is "" while the topic does not exist, or if the broker gives its topics no ids."""
        return (await self._topic_ids.of((self._kind.topic,))).ids.get(self._kind.topic, "")

    def _apply(self, record: Record) -> None:
        if record.key is None:
            return
        key = record.key.decode(errors="backslashreplace")
        if record.value is None:
            self.drop(key)
            event = None
        else:
            try:
                event = decode(record.topic, read_headers(record.headers), record.value)
            except (ValidationError, UndecodableRecord) as error:
                # The record does not become a dead letter, because every start would write another one.
                log.error(
                    "cannot decode a record of a table; keeping the previous row",
                    topic=record.topic,
                    key=key,
                    error=str(error),
                )
                return
            if not isinstance(event, self._kind) or not self.replace(key, event):
                return
        if self._on_change is not None:
            self._on_change(key, event)


def _is_older(event: Event, row: Event | None) -> bool:
    """Whether the event has an older version than the row. Without versions, the newest record counts."""
    if row is None or row.row_version is None or event.row_version is None:
        return False
    return event.row_version < row.row_version
