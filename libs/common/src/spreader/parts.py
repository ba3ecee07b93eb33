"""Parts: the servers that a service leans on, Postgres and Kafka, as things that start, stop and say their trouble."""

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from faststream.kafka import KafkaBroker
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.boundary import Boundary
from spreader.clock import wall_now
from spreader.kafka import TRIAL_CLUSTER, assert_nothing_is_lost, client_arguments
from spreader.metrics import CONSUMER_LAG, CONSUMER_OLDEST
from spreader.postgres import migrate
from spreader.settings import Settings

PROBE_SECONDS = 1.0
PROBE_TIMEOUT_SECONDS = 2.0
STUCK_SECONDS = 60.0


class Probe:
    """Asks a server again and again whether it answers."""

    def __init__(self) -> None:
        self._trouble: str | None = "not asked yet"
        self._task: asyncio.Task[None] | None = None
        self._ending = asyncio.Event()

    async def ask(self) -> None:
        raise NotImplementedError

    async def _watch(self) -> None:
        while not self._ending.is_set():
            try:
                async with asyncio.timeout(PROBE_TIMEOUT_SECONDS):
                    await self.ask()
                self._trouble = None
            except Exception as error:
                self._trouble = f"no answer: {type(error).__name__}: {error}".strip(": ")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PROBE_SECONDS):
                    await self._ending.wait()

    def begin(self) -> None:
        self._trouble = None
        self._ending.clear()
        self._task = asyncio.create_task(self._watch())

    async def end(self) -> None:
        """Let a question that is under way be answered: aiokafka leaks a connection that is cancelled."""
        self._ending.set()
        if self._task is not None:
            await self._task

    def trouble(self) -> str | None:
        return self._trouble


class Postgres(Probe):
    """The engine, migrated before anything else starts."""

    def __init__(self, engine: AsyncEngine, service: str, name: str = "postgres") -> None:
        super().__init__()
        self.name = name
        self._engine = engine
        self._service = service

    async def ask(self) -> None:
        async with self._engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def start(self) -> None:
        await migrate(self._engine, self._service)
        self.begin()

    async def stop(self) -> None:
        await self.end()
        await self._engine.dispose()

    def alive(self) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Unread:
    """Records of a partition that are not handled, and those of them that were not even fetched."""

    unhandled: int
    unfetched: int


class Kafka(Probe):
    """The broker with its subscribers, and a watch over their progress."""

    def __init__(
        self, broker: KafkaBroker, settings: Settings, boundaries: Sequence[Boundary[Any]] = (), name: str = "kafka"
    ) -> None:
        super().__init__()
        self.name = name
        self._broker = broker
        self._settings = settings
        self._boundaries = boundaries
        self._admin: AIOKafkaAdminClient | None = None
        self._behind_since: dict[int, float] = {}

    async def ask(self) -> None:
        if self._admin is None:
            admin = AIOKafkaAdminClient(**client_arguments(self._settings))
            try:
                await admin.start()
            except BaseException:
                await admin.close()
                raise
            self._admin = admin
        described: dict[str, Any] = await self._admin.describe_cluster()
        if self._settings.kafka_alone and not str(described["cluster_id"]).startswith(TRIAL_CLUSTER):
            raise ValueError("SPREADER_KAFKA_ALONE is for the in-memory broker of trials, and this is another one")
        await self._look_behind()

    async def start(self) -> None:
        assert_nothing_is_lost(self._broker)
        await self.ask()  # where no broker answers, this fails with nothing half started
        try:
            await self._broker.start()
        except BaseException:
            with contextlib.suppress(Exception):
                await self._broker.stop()  # it would start the subscribers that run already a second time
            raise
        self.begin()

    async def stop(self) -> None:
        await self.end()
        await self._broker.stop()
        if self._admin is not None:
            await self._admin.close()
            self._admin = None

    def alive(self) -> bool:
        """False when records wait and their handler has not been called for a minute: its consumer lost its group."""
        now = time.monotonic()
        return all(
            now - max(since, self._boundaries[number].last_call) < STUCK_SECONDS
            for number, since in self._behind_since.items()
        )

    @property
    def behind_seconds(self) -> float:
        """For how long records have been waiting whenever it was looked; 0: there were none the last time."""
        return time.monotonic() - min(self._behind_since.values()) if self._behind_since else 0.0

    async def _look_behind(self) -> None:
        for number, boundary in enumerate(self._boundaries):
            consumer = boundary.reader()
            unread = {} if consumer is None else await _unread(consumer, boundary)
            if any(each.unfetched for each in unread.values()):
                self._behind_since.setdefault(number, time.monotonic())
            else:
                self._behind_since.pop(number, None)
            self._show(number, boundary, unread)

    def _show(self, number: int, boundary: Boundary[Any], unread: Mapping[TopicPartition, Unread]) -> None:
        for topic in boundary.topics:
            mine = [each for partition, each in unread.items() if partition.topic == topic]
            waiting = sum(each.unhandled for each in mine)
            CONSUMER_LAG.labels(boundary.group, topic).set(waiting)
            written = [record.timestamp for place, record in boundary.under_way.items() if place[0] == topic]
            since = self._behind_since.get(number)
            ages = [wall_now().timestamp() - at / 1000 for at in written]
            if since is not None and any(each.unfetched for each in mine):
                ages.append(time.monotonic() - since)
            CONSUMER_OLDEST.labels(boundary.group, topic).set(max(ages, default=0.0))


async def _unread(consumer: AIOKafkaConsumer, boundary: Boundary[Any]) -> dict[TopicPartition, Unread]:
    partitions = consumer.assignment()
    if not partitions:
        return {}
    ends = await consumer.end_offsets(list(partitions))
    unread: dict[TopicPartition, Unread] = {}
    for partition in partitions:
        position = await consumer.position(partition)
        first = boundary.under_way.get((partition.topic, partition.partition))
        handled = position if first is None else min(position, first.offset)
        unread[partition] = Unread(max(ends[partition] - handled, 0), max(ends[partition] - position, 0))
    return unread
