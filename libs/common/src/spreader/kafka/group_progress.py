"""Progress: how far a consumer group has read."""

import asyncio
from collections.abc import Iterable, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from spreader.kafka.client import client_arguments
from spreader.settings import Settings


class GroupProgress:
    """A part that asks Kafka, and joins nothing."""

    def __init__(self, settings: Settings, group: str) -> None:
        self.name = f"progress of {group}"
        self._settings = settings
        self._group = group
        self._consumer: AIOKafkaConsumer | None = None

    async def start(self) -> None:
        consumer = AIOKafkaConsumer(**client_arguments(self._settings), group_id=self._group, enable_auto_commit=False)
        try:
            await consumer.start()
        except BaseException:
            await consumer.stop()
            raise
        self._consumer = consumer

    async def stop(self) -> None:
        if self._consumer is not None:
            await self._consumer.stop()

    def not_ready_reason(self) -> str | None:
        return None if self._consumer is not None else "not started yet"

    def is_live(self) -> bool:
        return True

    async def ends(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        """Where the partitions end now: the offset of the next record."""
        assert self._consumer is not None, "a part that is not started was asked"
        try:
            ends = await self._consumer.end_offsets([TopicPartition(topic, number) for number in partitions])
        except KafkaError as error:
            raise _away(error) from error
        return {place.partition: end for place, end in ends.items()}

    async def has_read(self, topic: str, ends: Mapping[int, int]) -> bool:
        """Whether the group has finished with everything before `ends`."""
        assert self._consumer is not None, "a part that is not started was asked"
        written = [TopicPartition(topic, partition) for partition, end in ends.items() if end > 0]
        try:
            committed = await asyncio.gather(*map(self._consumer.committed, written))
        except KafkaError as error:
            raise _away(error) from error
        return all((offset or 0) >= ends[place.partition] for place, offset in zip(written, committed, strict=True))


def _away(error: KafkaError) -> ConnectionError:
    """As an error that passes: a record is not to be buried because Kafka did not say how far its readers are."""
    return ConnectionError(f"Kafka did not say how far it was read: {type(error).__name__}: {error}")
