"""Kafka component: starts and stops a broker with its subscribers, and watches their lag."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from faststream.kafka import KafkaBroker

from spreader.clock import wall_now
from spreader.kafka.batching import LowLatencyConsumer
from spreader.kafka.broker import Broker
from spreader.kafka.client import TRIAL_CLUSTER, partitions_of
from spreader.kafka.guarded_consumer import GuardedConsumer
from spreader.kafka.lifetimes import JOIN_SECONDS, started
from spreader.kafka.subscription import check_subscribers_lose_nothing
from spreader.kafka.topic_state import EndOffsets, TopicIds
from spreader.runtime.probe import Probe
from spreader.settings import Settings
from spreader.telemetry.metrics import CONSUMER_LAG, CONSUMER_OLDEST

log = structlog.get_logger()

STUCK_SECONDS = 60.0
POSITION_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class PartitionBacklog:
    """How many records of a partition are not handled yet, and how many are not even fetched."""

    unhandled: int
    unfetched: int


@dataclass(frozen=True, slots=True)
class _Behind:
    """A check found records that a consumer had not fetched. `ends`: the ends of the partitions at that check."""

    since: float
    ends: Mapping[TopicPartition, int]


class KafkaComponent(Probe):
    def __init__(
        self,
        broker: KafkaBroker,
        settings: Settings,
        consumers: Sequence[GuardedConsumer[Any]] = (),
        name: str = "kafka",
        watched: Sequence[str] = (),
        writes: Sequence[str] = (),
    ) -> None:
        """`watched`: topics that this component does not read, but whose ids are in `home`. `writes`: topics to which
        even the first record must be written quickly."""
        super().__init__()
        self.name = name
        self._broker = broker
        self._settings = settings
        self._consumers = consumers
        self._watched = watched
        self._writes = writes
        self._topic_ids = TopicIds(settings)
        self._known_ids: dict[str, str] = {}
        self._ends = EndOffsets(settings)
        self._behind: dict[int, _Behind] = {}
        self.cluster_id: str | None = None
        """The id of the cluster that answered last. None: no cluster has answered yet."""

    async def check(self) -> None:
        read = {topic for consumer in self._consumers for topic in consumer.topics}
        known = await self._topic_ids.of({*read, *self._watched})
        if self._settings.kafka_alone and not known.cluster_id.startswith(TRIAL_CLUSTER):
            raise ValueError(
                "SPREADER_KAFKA_ALONE is set, but this is not the in-memory broker of a trial. Unset it: with a real "
                "Kafka, several processes would read the same partitions."
            )
        self.cluster_id = known.cluster_id
        self._rewind_recreated(known.ids)
        await self._measure_lag()

    @property
    def home(self) -> str | None:
        """The ids of the cluster and of the watched topics, as one text. If the text changes, the records of these
        topics are gone. None: an id is not known yet."""
        if self.cluster_id is None or not self._known_ids.keys() >= {*self._watched}:
            return None
        return "/".join((self.cluster_id, *filter(None, (self._known_ids[topic] for topic in self._watched))))

    async def start(self) -> None:
        check_subscribers_lose_nothing(self._broker)
        await self.check()  # raises an error if there is no broker, before any subscriber is started
        if topics := {topic for consumer in self._consumers for topic in consumer.topics}:
            await partitions_of(self._settings, *topics)  # refuses topics with too few partitions
        # If the start fails, `started` stops the broker, so that the next try does not start subscribers that run
        # already.
        await started(self._start_broker(), self._broker.stop, JOIN_SECONDS)
        self.start_checks()

    async def _start_broker(self) -> None:
        await self._broker.start()
        if isinstance(self._broker, Broker):
            await self._broker.connect_producer(self._writes)

    async def stop(self) -> None:
        await self.stop_checks()
        await self._broker.stop()
        await self._topic_ids.close()
        await self._ends.close()

    def failing(self) -> Mapping[str, str]:
        reports = {f"group {consumer.group}": consumer.streak.report() for consumer in self._consumers}
        return {name: report for name, report in reports.items() if report is not None}

    def not_ready_reason(self) -> str | None:
        if lost := self._lost_groups():
            return f"no longer a member of {', '.join(lost)}, which only a restart mends"
        return super().not_ready_reason()

    def is_live(self) -> bool:
        """False when a consumer has lost its group, or when records wait but their handler was not called for a minute.
        Then only a restart helps."""
        now = time.monotonic()
        return not self._lost_groups() and all(
            now - max(behind.since, self._consumers[number].last_call) < STUCK_SECONDS
            for number, behind in self._behind.items()
        )

    @property
    def behind_seconds(self) -> float:
        """How many seconds ago a check found records that a consumer has still not fetched. If several consumers are
        behind, the longest time counts. 0: no consumer is behind."""
        return time.monotonic() - min(behind.since for behind in self._behind.values()) if self._behind else 0.0

    def _lost_groups(self) -> list[str]:
        readers = ((consumer.group, consumer.reader()) for consumer in self._consumers)
        return [
            f"the group {group}"
            for group, reader in readers
            if isinstance(reader, LowLatencyConsumer) and reader.has_lost_its_group()
        ]

    def _rewind_recreated(self, ids: Mapping[str, str]) -> None:
        """Read from their beginning the topics that were created again since the last check. Without this, a consumer
        would continue at its old offset as soon as the new topic has that many records, and would skip the records
        before it."""
        recreated = [topic for topic, topic_id in ids.items() if self._known_ids.get(topic, topic_id) != topic_id]
        for topic in recreated:
            log.warning("a topic was created again; its readers begin at its first record", topic=topic)
            for consumer in self._consumers:
                if topic in consumer.topics:
                    consumer.rewind(topic)
            self._behind.clear()  # the ends were those of the old topic
        self._known_ids.update(ids)

    async def _measure_lag(self) -> None:
        readers = [consumer.reader() for consumer in self._consumers]
        assigned = {partition for reader in readers if reader is not None for partition in reader.assignment()}
        ends = await self._ends.of(assigned)
        for number, (consumer, reader) in enumerate(zip(self._consumers, readers, strict=True)):
            backlogs = {} if reader is None else await _backlogs(reader, consumer, ends)
            self._note_behind(number, ends, backlogs)
            self._publish_metrics(number, consumer, backlogs)

    def _note_behind(
        self, number: int, ends: Mapping[TopicPartition, int], backlogs: Mapping[TopicPartition, PartitionBacklog]
    ) -> None:
        """Newer records than those of the noted check do not count, because under load some are always unfetched."""
        positions = {
            partition: ends[partition] - backlog.unfetched
            for partition, backlog in backlogs.items()
            if backlog.unfetched
        }
        behind = self._behind.get(number)
        if behind is not None and any(
            position < behind.ends.get(partition, position) for partition, position in positions.items()
        ):
            return
        self._behind.pop(number, None)
        if positions:
            self._behind[number] = _Behind(time.monotonic(), {partition: ends[partition] for partition in positions})

    def _publish_metrics(
        self, number: int, consumer: GuardedConsumer[Any], backlogs: Mapping[TopicPartition, PartitionBacklog]
    ) -> None:
        for topic in consumer.topics:
            of_topic = [backlog for partition, backlog in backlogs.items() if partition.topic == topic]
            CONSUMER_LAG.labels(consumer.group, topic).set(sum(backlog.unhandled for backlog in of_topic))
            written = [record.timestamp for partition, record in consumer.in_progress.items() if partition[0] == topic]
            behind = self._behind.get(number)
            ages = [wall_now().timestamp() - at_ms / 1000 for at_ms in written]
            if behind is not None and any(backlog.unfetched for backlog in of_topic):
                ages.append(time.monotonic() - behind.since)
            CONSUMER_OLDEST.labels(consumer.group, topic).set(max(ages, default=0.0))


async def _backlogs(
    reader: AIOKafkaConsumer, consumer: GuardedConsumer[Any], ends: Mapping[TopicPartition, int]
) -> dict[TopicPartition, PartitionBacklog]:
    """The backlogs of the reader's partitions. A partition that the reader got after `ends` were read is left out."""
    backlogs: dict[TopicPartition, PartitionBacklog] = {}
    for partition in ends.keys() & reader.assignment():
        position = await _position(reader, partition, consumer.group)
        first = consumer.in_progress.get((partition.topic, partition.partition))
        handled = position if first is None else min(position, first.offset)
        backlogs[partition] = PartitionBacklog(max(ends[partition] - handled, 0), max(ends[partition] - position, 0))
    return backlogs


async def _position(reader: AIOKafkaConsumer, partition: TopicPartition, group: str) -> int:
    try:
        async with asyncio.timeout(POSITION_SECONDS):
            return await reader.position(partition)
    except TimeoutError:
        where = f"partition {partition.partition} of {partition.topic}"
        raise TimeoutError(f"the group {group} has not learned yet where to read {where}") from None
