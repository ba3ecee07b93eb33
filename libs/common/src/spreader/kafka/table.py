"""Table: the newest event of each key of a compacted topic, held in memory by every instance that reads it."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

import structlog
from aiokafka import AIOKafkaConsumer
from pydantic import ValidationError

from spreader.contract.events import Event
from spreader.kafka.client import FETCH_WAIT_MS, Record, client_arguments, partitions_of
from spreader.kafka.envelope import UndecodableRecord, decode, read_headers
from spreader.settings import Settings
from spreader.telemetry.metrics import TABLE_ROWS

log = structlog.get_logger()

E = TypeVar("E", bound=Event)

POLL_MS = 1_000
POLL_RECORDS_MAX = 1_000


class Table(Generic[E]):
    """Reads from the beginning, without a group; ready when it has seen all that was there when it started."""

    def __init__(
        self, settings: Settings, kind: type[E], on_change: Callable[[str, E | None], None] | None = None
    ) -> None:
        self.name = f"table of {kind.topic}"
        self._settings = settings
        self._kind = kind
        self._on_change = on_change
        self._rows: dict[str, E] = {}
        self._caught_up = False
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._consumer: AIOKafkaConsumer | None = None
        TABLE_ROWS.labels(kind.topic)

    @property
    def rows(self) -> Mapping[str, E]:
        return self._rows

    def get(self, key: str) -> E | None:
        return self._rows.get(key)

    async def wait_for(self, satisfied: Callable[[], bool], timeout: float) -> bool:
        """Wait until a change satisfies the caller, `timeout` seconds at most; answers whether one did."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while not satisfied():
                    self._changed.clear()
                    await self._changed.wait()
        return satisfied()

    async def start(self) -> None:
        self._caught_up = False
        consumer = AIOKafkaConsumer(
            **client_arguments(self._settings),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=FETCH_WAIT_MS,
        )
        try:
            await consumer.start()
            partitions = await partitions_of(self._settings, self._kind.topic)
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
            ends = await consumer.end_offsets(partitions)
            while any([await consumer.position(each) < ends[each] for each in partitions]):
                await self._take(consumer)
        except BaseException:
            await consumer.stop()
            raise
        self._caught_up = True
        self._consumer = consumer
        self._task = asyncio.create_task(self._follow(consumer))

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._consumer is not None:
            await self._consumer.stop()

    def not_ready_reason(self) -> str | None:
        if not self._caught_up:
            return "it has not read all of its topic yet"
        if self._task is not None and self._task.done():
            return "it stopped reading"
        return None

    def is_live(self) -> bool:
        return self._task is None or not self._task.done()

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            await self._take(consumer)

    async def _take(self, consumer: AIOKafkaConsumer) -> None:
        polled = await consumer.getmany(timeout_ms=POLL_MS, max_records=POLL_RECORDS_MAX)
        for records in polled.values():
            for record in records:
                self._apply(record)
        if polled:
            TABLE_ROWS.labels(self._kind.topic).set(len(self._rows))
            self._changed.set()

    def _apply(self, record: Record) -> None:
        if record.key is None:
            return
        key = record.key.decode(errors="backslashreplace")
        if record.value is None:
            self._rows.pop(key, None)
            event = None
        else:
            try:
                event = decode(record.topic, read_headers(record.headers), record.value)
            except (ValidationError, UndecodableRecord) as error:
                # Burying it would bury it again at every start: the older row stays in force, and the log says so.
                log.error("a row cannot be read and is passed over", topic=record.topic, key=key, error=str(error))
                return
            if not isinstance(event, self._kind):
                return
            self._rows[key] = event
        if self._on_change is not None:
            self._on_change(key, event)
