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
from spreader.kafka.client import Record
from spreader.kafka.envelope import UndecodableRecord, decode, read_headers
from spreader.kafka.groupless_consumer import GrouplessConsumer
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


class Callbacks(GrouplessConsumer):
    """Reads one partition, chosen at start, from its end: earlier answers belong to requests that are gone."""

    name = "callbacks"

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, "latest")
        self.waiters = Waiters()
        self._assigned = TopicPartition(Callback.topic, random.randrange(CALLBACK_PARTITIONS))

    @property
    def partition(self) -> int:
        return self._assigned.partition

    async def seek(self, consumer: AIOKafkaConsumer) -> None:
        consumer.assign([self._assigned])
        await consumer.seek_to_end(self._assigned)
        await consumer.position(self._assigned)

    async def poll(self, consumer: AIOKafkaConsumer) -> None:
        try:
            polled = await consumer.getmany(self._assigned, timeout_ms=POLL_MS)
        except Exception as error:  # the waiting requests time out by themselves; the next ones may get their answer
            log.warning("cannot read callbacks; trying again", error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(BACK_OFF_SECONDS)
            return
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
