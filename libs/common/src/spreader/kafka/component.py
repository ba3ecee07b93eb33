"""Parts: the servers that a service leans on, Postgres and Kafka, as things that start, stop and say their trouble."""

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from faststream.kafka import KafkaBroker

from spreader.clock import wall_now
from spreader.kafka.client import TRIAL_CLUSTER, check_subscribers_lose_nothing, client_arguments
from spreader.kafka.guarded_consumer import GuardedConsumer
from spreader.runtime.probe import Probe
from spreader.settings import Settings
from spreader.telemetry.metrics import CONSUMER_LAG, CONSUMER_OLDEST

STUCK_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class PartitionBacklog:
    """Records of a partition that are not handled, and those of them that were not even fetched."""

    unhandled: int
    unfetched: int


class KafkaComponent(Probe):
    """The broker with its subscribers, and a watch over their progress."""

    def __init__(
        self,
        broker: KafkaBroker,
        settings: Settings,
        boundaries: Sequence[GuardedConsumer[Any]] = (),
        name: str = "kafka",
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
        check_subscribers_lose_nothing(self._broker)
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

    def is_live(self) -> bool:
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

    def _show(
        self, number: int, boundary: GuardedConsumer[Any], unread: Mapping[TopicPartition, PartitionBacklog]
    ) -> None:
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


async def _unread(consumer: AIOKafkaConsumer, boundary: GuardedConsumer[Any]) -> dict[TopicPartition, PartitionBacklog]:
    partitions = consumer.assignment()
    if not partitions:
        return {}
    ends = await consumer.end_offsets(list(partitions))
    unread: dict[TopicPartition, PartitionBacklog] = {}
    for partition in partitions:
        position = await consumer.position(partition)
        first = boundary.under_way.get((partition.topic, partition.partition))
        handled = position if first is None else min(position, first.offset)
        unread[partition] = PartitionBacklog(max(ends[partition] - handled, 0), max(ends[partition] - position, 0))
    return unread
