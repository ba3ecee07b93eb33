"""Group progress: how far a consumer group has read, by its committed offsets."""

import asyncio
from collections.abc import Iterable, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from spreader.contract.events import PARTITIONS
from spreader.kafka.client import client_arguments
from spreader.kafka.lifetimes import closed, started
from spreader.settings import Settings


class GroupProgress:
    """A component that reads the offsets of a group without joining the group."""

    def __init__(self, settings: Settings, group: str, *topics: str) -> None:
        """`topics`: the topics for which even the first request for offsets must be quick."""
        self.name = f"progress of {group}"
        self._settings = settings
        self._group = group
        self._topics = topics
        self._consumer: AIOKafkaConsumer | None = None

    async def start(self) -> None:
        consumer = AIOKafkaConsumer(**client_arguments(self._settings), group_id=self._group, enable_auto_commit=False)
        await started(self._warmed(consumer), consumer.stop)
        self._consumer = consumer

    async def _warmed(self, consumer: AIOKafkaConsumer) -> None:
        """Start the consumer, let it learn the leaders of the topics, and connect it to them and to the group.

        Otherwise aiokafka would learn about a topic only at the first request, which would then wait for 100 ms.
        """
        await consumer.start()
        for topic in self._topics:
            partitions = [TopicPartition(topic, number) for number in range(PARTITIONS[topic])]
            await consumer.end_offsets(partitions)
            await asyncio.gather(*map(consumer.committed, partitions))

    async def stop(self) -> None:
        if self._consumer is not None:
            await closed(self._consumer.stop())

    def not_ready_reason(self) -> str | None:
        return None if self._consumer is not None else "not started yet"

    def is_live(self) -> bool:
        return True

    async def ends(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        """The end of each partition now: the offset of its next record. Raises ConnectionError without Kafka."""
        assert self._consumer is not None, "the component is not started"
        try:
            ends = await self._consumer.end_offsets([TopicPartition(topic, number) for number in partitions])
        except KafkaError as error:
            raise _unavailable(error) from error
        return {partition.partition: end for partition, end in ends.items()}

    async def has_read(self, topic: str, ends: Mapping[int, int]) -> bool:
        """Whether the group has committed everything before `ends`. Raises ConnectionError without Kafka."""
        assert self._consumer is not None, "the component is not started"
        written = [TopicPartition(topic, partition) for partition, end in ends.items() if end > 0]
        try:
            committed = await asyncio.gather(*map(self._consumer.committed, written))
        except KafkaError as error:
            raise _unavailable(error) from error
        return all(
            (offset or 0) >= ends[partition.partition] for partition, offset in zip(written, committed, strict=True)
        )


def _unavailable(error: KafkaError) -> ConnectionError:
    """The error as a ConnectionError, which a guarded consumer counts as transient. With a KafkaError, the records
    whose handler asked for the offsets would become dead letters while Kafka cannot return offsets."""
    return ConnectionError(f"cannot read the group's offsets from Kafka: {type(error).__name__}: {error}")
