"""Batching: consumers that fetch, hand over and commit many records at once.

They return a batch as soon as a record arrives, and ask for the next one at once or a chosen time later. FastStream
alone polls every `batch_timeout_ms` and sleeps for the same time after each empty poll. A record that arrives during
the sleep would wait until the sleep ends, and each idle subscriber would poll 25 times a second.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.cluster import ClusterMetadata
from aiokafka.errors import KafkaError, RequestTimedOutError
from aiokafka.protocol.fetch import FetchRequest

from spreader.settings import Settings

log = structlog.get_logger()

IDLE_MS = 5_000
FETCH_WAIT_MS = 5_000
"""A broker answers a fetch as soon as there is a record. Without records, it answers after this time. It must be
shorter than REQUEST_TIMEOUT_MS."""
TRIAL_WAIT_MS = 500
"""Used in a trial instead of FETCH_WAIT_MS, because the in-memory broker looks for records only from time to time."""
FETCHES = "fetches"
"""The name of the connections on which a client sends nothing but fetches."""
PARTIAL_WAIT_MS = 100
PAUSE_BYTES_MAX = 100_000
"""If Kafka returned more bytes than this, many records wait, so the next fetch follows at once."""
COMMIT_SECONDS = 20.0
COMMIT_EVERY_SECONDS = 1.0
FLUSH_SECONDS = 5.0
"""A consumer that stops or loses partitions waits at most this long for its last commit. If that commit fails, the next
reader only reads some records again."""

Batches = dict[TopicPartition, list[ConsumerRecord[Any, Any]]]
Leaders = Mapping[int, int | None]
"""The id of the broker that leads each partition of a topic. It is None or -1 while there is none."""


def fetch_wait_ms(settings: Settings) -> int:
    return TRIAL_WAIT_MS if settings.kafka_alone else FETCH_WAIT_MS


@dataclass(frozen=True, slots=True)
class NothingFetched:
    """What a fetcher gets instead of an answer. It then makes its next request, with its newest positions."""

    topics: tuple[()] = ()


class Fetches:
    """Sends the fetches of a consumer, and lets each of them wait at the broker for as long as that does no harm.

    A broker answers the requests of a connection one after the other. So a fetch that waits for records holds up
    everything behind it on its connection: the fetch for a new assignment or a new position, and any other question.
    Therefore fetches have connections of their own. A fetch that is out of date is ended by closing its connection.
    """

    def __init__(self, client: AIOKafkaClient, is_partial: Callable[[], bool]) -> None:
        """`is_partial`: whether a fetch leaves out partitions, because their last records were not taken yet."""
        self._client: Any = client
        self._send: Any = client.send
        self._is_partial = is_partial
        self._interrupts = 0
        self._leaders: Mapping[str, Leaders] = {}
        self._next: dict[Any, float] = {}
        self.pause_seconds = 0.0
        """After an answer with records, the next fetch waits this long. So one fetch brings the records of this time.
        A full answer causes no wait."""
        client.cluster.add_listener(self._on_metadata)

    async def send(self, node_id: Any, request: Any, **options: Any) -> Any:
        """Takes the place of the client's own `send`."""
        if not isinstance(request, FetchRequest):
            return await self._send(node_id, request, **options)
        loop = asyncio.get_running_loop()
        if (pause := self._next.pop(node_id, 0.0) - loop.time()) > 0:
            await asyncio.sleep(pause)
            return NothingFetched()
        if self._is_partial():
            setattr(request, "_max_wait_ms", PARTIAL_WAIT_MS)  # noqa: B010 - aiokafka shows it nowhere else
        began = self._interrupts
        await self._client.ready(node_id, group=FETCHES)
        if self._interrupts != began:
            return NothingFetched()
        try:
            answer: Any = await self._send(node_id, request, group=FETCHES)
        except asyncio.CancelledError:
            self._close(node_id)  # the assignment is another one, or the consumer stops
            raise
        except KafkaError:
            if self._interrupts != began:
                return NothingFetched()
            raise
        if 0 < _bytes_of(answer) < PAUSE_BYTES_MAX:
            self._next[node_id] = loop.time() + self.pause_seconds
        return answer

    def interrupt(self) -> None:
        """End the fetches in flight, because they do not ask for what is wanted now."""
        self._interrupts += 1
        for node_id, group in list(self._client._conns):
            if group == FETCHES:
                self._close(node_id)

    def _close(self, node_id: Any) -> None:
        connection = self._client._conns.pop((node_id, FETCHES), None)
        if connection is not None:
            connection.close()

    def _on_metadata(self, cluster: ClusterMetadata) -> None:
        """If partitions have moved to another broker, ends the fetches in flight, which do not ask that broker."""
        leaders = {topic: _leaders(cluster, topic) for topic in cluster.topics()}
        if any(leaders.get(topic, before) != before for topic, before in self._leaders.items()):
            self.interrupt()
        self._leaders = leaders


def _leaders(cluster: ClusterMetadata, topic: str) -> Leaders:
    partitions = cluster.partitions_for_topic(topic) or ()
    return {number: cluster.leader_for_partition(TopicPartition(topic, number)) for number in partitions}


def _bytes_of(answer: Any) -> int:
    """The size of the records in the answer to a fetch. They are the last field of each partition."""
    return sum(len(partition[-1] or b"") for _, partitions in answer.topics for partition in partitions)


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
        """Drops the offsets of partitions that another member of the group has now, because that member commits
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


class PatientConsumer(AIOKafkaConsumer):
    """Sends its fetches through `Fetches`."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        # aiokafka's fetcher sees by itself when there is something to do. It looks again after this time.
        named["consumer_timeout_ms"] = IDLE_MS
        super().__init__(*arguments, **named)
        self.fetches = Fetches(self._client, lambda: bool(getattr(self._fetcher, "_records")))  # noqa: B009 - private
        setattr(self._client, "send", self.fetches.send)  # noqa: B010 - its type does not allow the assignment

    async def start(self) -> None:
        await super().start()
        _free_node_before_done(self._fetcher)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        super().seek(partition, offset)
        self.fetches.interrupt()

    async def seek_to_beginning(self, *partitions: TopicPartition) -> bool:
        self.fetches.interrupt()
        return await super().seek_to_beginning(*partitions)

    async def seek_to_end(self, *partitions: TopicPartition) -> bool:
        self.fetches.interrupt()
        return await super().seek_to_end(*partitions)


def _free_node_before_done(fetcher: Any) -> None:
    """Let a request of aiokafka's fetcher free its node before its task is done.

    aiokafka frees the node a little later, in a callback of the task. The fetcher's loop may wake before this callback,
    because of a seek or because records were taken. Then it takes the node for busy, forgets the task, and sleeps until
    its time-out.
    """

    def freeing(request: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def run(assignment: Any, node_id: Any, *rest: Any) -> Any:
            try:
                return await request(assignment, node_id, *rest)
            finally:
                fetcher._in_flight.discard(node_id)

        return run

    fetcher._proc_fetch_request = freeing(fetcher._proc_fetch_request)
    fetcher._update_fetch_positions = freeing(fetcher._update_fetch_positions)


class LowLatencyConsumer(PatientConsumer):
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
        """The next records, or nothing if none arrived for five seconds.

        `timeout_ms` says how long to gather the records of the next batch at the broker, after this one (see
        `Fetches.pause_seconds`). It does not limit the wait for the first record.
        """
        self.fetches.pause_seconds = timeout_ms / 1000
        batches: Batches = await super().getmany(*partitions, timeout_ms=IDLE_MS, max_records=max_records)
        return batches

    async def commit(self, offsets: Any = None) -> None:
        """Commits within `COMMIT_SECONDS` or raises an error. aiokafka alone would try until Kafka is back.

        After an error, the next commit covers these offsets too.
        """
        try:
            async with asyncio.timeout(COMMIT_SECONDS):
                await super().commit(offsets)
        except TimeoutError as error:
            raise RequestTimedOutError(f"no commit within {COMMIT_SECONDS:g} s") from error
