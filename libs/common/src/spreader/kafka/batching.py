"""Batching: a consumer that reads in batches and can commit in batches.

It returns a batch as soon as the first record arrives, or a chosen time later with more records. FastStream alone polls
every `batch_timeout_ms` and sleeps for the same time after each empty poll. A record that arrives during the sleep
would wait until the sleep ends, and each idle subscriber would poll 25 times a second.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import ConsumerStoppedError, KafkaError, RequestTimedOutError

log = structlog.get_logger()

IDLE_MS = 500
GATHER_STEP_SECONDS = 0.1
COMMIT_SECONDS = 20.0
COMMIT_EVERY_SECONDS = 1.0
FLUSH_SECONDS = 5.0
"""A consumer that stops or loses partitions waits at most this long for its last commit. If that commit fails, the next
reader only reads some records again."""

Batches = dict[TopicPartition, list[ConsumerRecord[Any, Any]]]


class CommittingConsumer(Protocol):
    def assignment(self) -> Iterable[TopicPartition]: ...
    async def commit(self, offsets: dict[TopicPartition, int]) -> None: ...


class GatheredCommits:
    """Commits at most once in `COMMIT_EVERY_SECONDS`, and only the offsets of records that were passed to `add`.

    After a crash, the records of the last second are read again. So only a reader that recognises records that it has
    handled may use this. Where somebody waits for committed offsets (`GroupProgress`), they would come too late.
    """

    def __init__(self, consumer: CommittingConsumer) -> None:
        self._consumer = consumer
        self._handled: dict[TopicPartition, int] = {}
        self._committing = asyncio.Lock()
        self._next: asyncio.Task[None] | None = None

    def add(self, records: Iterable[ConsumerRecord[Any, Any]]) -> None:
        """These records were handled: the next commit may cover them."""
        for record in records:
            partition = TopicPartition(record.topic, record.partition)
            self._handled[partition] = record.offset + 1
        if self._next is None:
            self._next = asyncio.create_task(self._commit_later())

    async def flush(self) -> None:
        """Commit everything that was added, within `FLUSH_SECONDS`. An error is only logged."""
        try:
            async with asyncio.timeout(FLUSH_SECONDS):
                await self._commit()
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("cannot commit offsets now; their records may be read again", error=repr(error))

    async def stop(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None
        await self.flush()

    async def _commit_later(self) -> None:
        await asyncio.sleep(COMMIT_EVERY_SECONDS)
        self._next = None
        await self.flush()

    async def _commit(self) -> None:
        """Offsets of partitions that another member of the group has now are dropped, because that member commits
        them."""
        async with self._committing:
            assigned = set(self._consumer.assignment())
            offsets = {partition: offset for partition, offset in self._handled.items() if partition in assigned}
            self._handled.clear()
            if not offsets:
                return
            try:
                await self._consumer.commit(offsets)
            except BaseException:
                self._put_back(offsets)
                raise

    def _put_back(self, offsets: dict[TopicPartition, int]) -> None:
        for partition, offset in offsets.items():
            self._handled.setdefault(partition, offset)


class CommitBeforeRevocation(ConsumerRebalanceListener):
    """Flushes when the group takes partitions away, while their offsets can still be committed."""

    def __init__(self, flush: Callable[[], Awaitable[None]]) -> None:
        self._flush = flush

    async def on_partitions_revoked(  # pyright: ignore[reportIncompatibleMethodOverride] - aiokafka awaits it
        self, revoked: Iterable[TopicPartition]
    ) -> None:
        await self._flush()

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        pass


class LowLatencyConsumer(AIOKafkaConsumer):
    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.gathered = GatheredCommits(self)

    async def stop(self) -> None:
        await self.gathered.stop()
        await super().stop()

    def has_lost_its_group(self) -> bool:
        """Whether the background task that keeps the consumer in its group has ended. aiokafka does not start it again,
        so the consumer reads nothing more."""
        task: asyncio.Task[None] | None = getattr(self._coordinator, "_coordination_task", None)
        return task is not None and task.done()

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int = 0, max_records: int | None = None
    ) -> Batches:
        """The next records, or nothing if none arrived for half a second.

        `timeout_ms` says how long to gather more records after the first one, until the batch is full. It does not
        limit the wait for the first record.
        """
        batches: Batches = await super().getmany(*partitions, timeout_ms=IDLE_MS, max_records=max_records)
        if batches and timeout_ms:
            await self._gather(batches, timeout_ms / 1000, max_records)
        return batches

    async def _gather(self, batches: Batches, seconds: float, max_records: int | None) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while (rest := until - loop.time()) > 0:
            left = None if max_records is None else max_records - sum(map(len, batches.values()))
            if left == 0:
                return
            await asyncio.sleep(min(rest, GATHER_STEP_SECONDS))
            # The first records have left aiokafka's buffer, so raising an error here would lose them. The next call
            # raises the error.
            try:
                merge_records(batches, await super().getmany(max_records=left))
            except (KafkaError, ConsumerStoppedError):
                return

    async def commit(self, offsets: Any = None) -> None:
        """Commits within `COMMIT_SECONDS` or raises an error. aiokafka alone would try until Kafka is back.

        After an error, the next commit covers these offsets too.
        """
        try:
            async with asyncio.timeout(COMMIT_SECONDS):
                await super().commit(offsets)
        except TimeoutError as error:
            raise RequestTimedOutError(f"no commit within {COMMIT_SECONDS:g} s") from error


def merge_records(batches: Batches, more: Batches) -> None:
    """Append `more` to `batches`.

    If a partition was revoked and assigned again meanwhile, its records were read again. Then the records in `more`
    replace those in `batches`.
    """
    for partition, records in more.items():
        before = batches.get(partition, [])
        continues = not before or before[-1].offset < records[0].offset
        batches[partition] = [*before, *records] if continues else records
