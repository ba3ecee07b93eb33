"""Callbacks: events that router and sender send to this instance. Each is given to the HTTP request that waits for
it."""

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
from spreader.kafka.envelope import UndecodableRecord, decode, read_headers
from spreader.kafka.groupless_consumer import GrouplessConsumer
from spreader.kafka.subscription import Record
from spreader.settings import Settings

log = structlog.get_logger()

POLL_MS = 5_000
BACK_OFF_SECONDS = 1.0


@dataclass
class CallbackWaiter:
    """A request that waits for `expected` different callbacks about one message. A repeated callback counts once."""

    expected: int
    _callbacks: dict[str, Callback] = field(default_factory=dict, init=False)
    _complete: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def receive(self, callback: Callback) -> None:
        self._callbacks[callback.event_id] = callback
        if len(self._callbacks) >= self.expected:
            self._complete.set()

    async def wait(self, seconds: float) -> Sequence[Callback] | None:
        """All callbacks, or None if any is still missing after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._complete.wait()
        except TimeoutError:
            return None
        return list(self._callbacks.values())


class CallbackWaiters:
    """The requests that wait for callbacks, by message id."""

    def __init__(self) -> None:
        self._waiters: dict[str, list[CallbackWaiter]] = {}

    @contextlib.contextmanager
    def expect(self, message_id: str, expected: int) -> Generator[CallbackWaiter]:
        """Enter this context before you publish the message, so that no callback comes too early."""
        waiter = CallbackWaiter(expected)
        self._waiters.setdefault(message_id, []).append(waiter)
        try:
            yield waiter
        finally:
            self._waiters[message_id].remove(waiter)
            if not self._waiters[message_id]:
                del self._waiters[message_id]

    def deliver(self, callback: Callback) -> None:
        if isinstance(callback, MessageRouted | ReplySettled):
            for waiter in self._waiters.get(callback.message_id, ()):
                waiter.receive(callback)


class CallbackChannel(Protocol):
    """The partition to which services send this instance's callbacks, and the requests that wait for them."""

    waiters: CallbackWaiters

    @property
    def partition(self) -> int: ...


class CallbackConsumer(GrouplessConsumer):
    """Reads one partition, chosen at random. It begins at the end of the partition, because earlier callbacks belong to
    requests that have ended."""

    name = "callbacks"

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, "latest")
        self.waiters = CallbackWaiters()
        self._assigned = TopicPartition(Callback.topic, random.randrange(CALLBACK_PARTITIONS))

    @property
    def partition(self) -> int:
        return self._assigned.partition

    async def seek(self, consumer: AIOKafkaConsumer) -> None:
        consumer.assign([self._assigned])
        await consumer.seek_to_end(self._assigned)
        await consumer.position(self._assigned)  # finds the end now, so that callbacks sent from now on are read

    async def poll(self, consumer: AIOKafkaConsumer) -> None:
        try:
            polled = await consumer.getmany(self._assigned, timeout_ms=POLL_MS)
        except Exception as error:  # the waiting requests have their own time-outs
            log.warning("cannot read callbacks; trying again shortly", error=f"{type(error).__name__}: {error}")
            await asyncio.sleep(BACK_OFF_SECONDS)
            return
        for records in polled.values():
            for record in records:
                self._handle(record)

    def _handle(self, record: Record) -> None:
        try:
            event = decode(record.topic, read_headers(record.headers), record.value)
        except (ValidationError, UndecodableRecord) as error:
            # The callback is not stored as a dead letter, because the waiting request would have timed out before a
            # replay.
            log.error("cannot decode a callback; skipped", offset=record.offset, error=type(error).__name__)
            return
        if isinstance(event, Callback):
            self.waiters.deliver(event)
