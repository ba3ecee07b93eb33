"""End offsets: asks for the ends of partitions over a connection of its own.

On the connection of a reader, each request would wait until the reader's long poll has ended.
"""

import asyncio
from collections.abc import Collection, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition

from spreader.kafka.client import client_arguments
from spreader.kafka.lifetimes import closed, started
from spreader.settings import Settings


class EndOffsets:
    """Connects to Kafka when it is first asked for offsets."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._consumer: AIOKafkaConsumer | None = None
        self._connecting = asyncio.Lock()

    async def of(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        """The offset of the next record of each partition. Raises KafkaError or OSError without Kafka."""
        if not partitions:
            return {}
        async with self._connecting:
            if self._consumer is None:
                consumer = AIOKafkaConsumer(**client_arguments(self._settings))
                await started(consumer.start(), consumer.stop)
                self._consumer = consumer
        return await self._consumer.end_offsets(list(partitions))

    async def close(self) -> None:
        if self._consumer is not None:
            await closed(self._consumer.stop())
            self._consumer = None
