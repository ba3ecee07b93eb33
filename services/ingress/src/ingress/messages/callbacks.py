"""Callbacks: the answers of router and sender to this instance, each handed to the request that waits for it."""

import asyncio
import contextlib
import random
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from pydantic import ValidationError

from spreader.contract.events import CALLBACK_PARTITIONS, Callback, MessageRouted, ReplySettled
from spreader.kafka.client import FETCH_WAIT_MS, Record, client_arguments
from spreader.kafka.envelope import UndecodableRecord, decode, read_headers
from spreader.settings import Settings

log = structlog.get_logger()

POLL_MS = 1_000
BACK_OFF_SECONDS = 1.0


@dataclass
class Waiter:
    """A request that waits for `expected` different answers about one message."""

    expected: int
    _answers: dict[str, Callback] = field(default_factory=dict, init=False)
    _complete: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def take(self, answer: Callback) -> None:
        self._answers[answer.event_id] = answer
        if len(self._answers) >= self.expected:
            self._complete.set()

    async def answers(self, seconds: float) -> Sequence[Callback] | None:
        """All of them, or None when they have not all come in time."""
        try:
            async with asyncio.timeout(seconds):
                await self._complete.wait()
        except TimeoutError:
            return None
        return list(self._answers.values())


class Waiters:
    """Who waits for which message."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Waiter]] = {}

    @contextlib.contextmanager
    def expect(self, message_id: str, answers: int) -> Generator[Waiter]:
        """Registered before the message is published: no answer can be too early."""
        waiter = Waiter(answers)
        self._waiting.setdefault(message_id, []).append(waiter)
        try:
            yield waiter
        finally:
            self._waiting[message_id].remove(waiter)
            if not self._waiting[message_id]:
                del self._waiting[message_id]

    def take(self, answer: Callback) -> None:
        if isinstance(answer, MessageRouted | ReplySettled):
            for waiter in self._waiting.get(answer.message_id, ()):
                waiter.take(answer)


class Asking(Protocol):
    """What a request needs: where answers are to be sent, and who hands them over."""

    waiters: Waiters

    @property
    def partition(self) -> int: ...


class Callbacks:
    """Reads one partition, chosen at start, without a group and from its end: earlier answers are of no use."""

    name = "callbacks"

    def __init__(self, settings: Settings) -> None:
        self.waiters = Waiters()
        self._settings = settings
        self._place = TopicPartition(Callback.topic, random.randrange(CALLBACK_PARTITIONS))
        self._consumer: AIOKafkaConsumer | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def partition(self) -> int:
        return self._place.partition

    async def start(self) -> None:
        consumer = AIOKafkaConsumer(
            **client_arguments(self._settings),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="latest",
            fetch_max_wait_ms=FETCH_WAIT_MS,
        )
        try:
            await consumer.start()
            consumer.assign([self._place])
            await consumer.seek_to_end(self._place)
            await consumer.position(self._place)
        except BaseException:
            await consumer.stop()
            raise
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
        return None if self.is_live() else "it stopped reading"

    def is_live(self) -> bool:
        return self._task is None or not self._task.done()

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            try:
                polled = await consumer.getmany(self._place, timeout_ms=POLL_MS)
            except Exception as error:  # a request that gets no answer says so by itself; the next may get one
                log.warning("callbacks cannot be read", error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(BACK_OFF_SECONDS)
                continue
            for records in polled.values():
                for record in records:
                    self._take(record)

    def _take(self, record: Record) -> None:
        try:
            event = decode(record.topic, read_headers(record.headers), record.value)
        except (ValidationError, UndecodableRecord) as error:
            # A callback is an answer to somebody who waits, not a fact that must be kept: the log is enough.
            log.error("a callback cannot be read and is passed over", offset=record.offset, error=type(error).__name__)
            return
        if isinstance(event, Callback):
            self.waiters.take(event)
