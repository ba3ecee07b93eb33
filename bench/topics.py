"""Topics: the Kafka topics of the system under test, with their ends and the lag of all consumer groups."""

import asyncio
import time
from collections.abc import Sequence
from types import TracebackType

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

BARE_TOPIC = "bench.bare"
HOP_TOPICS = ("bench.hop-1", "bench.hop-2", "bench.hop-3")
PARTITIONS = 6
POLL_SECONDS = 0.02
IDLE_POLL_SECONDS = 0.25


class Topics:
    def __init__(self, kafka: str) -> None:
        self.kafka = kafka
        self._admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
        self._consumer = AIOKafkaConsumer(bootstrap_servers=kafka)

    async def __aenter__(self) -> "Topics":
        await self._admin.start()
        await self._consumer.start()
        names = (BARE_TOPIC, *HOP_TOPICS)
        await self._admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in names])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._consumer.stop()
        await self._admin.close()

    async def record_count(self, topic: str) -> int:
        """The number of records ever written to a topic."""
        ends = await self._consumer.end_offsets([TopicPartition(topic, number) for number in range(PARTITIONS)])
        return sum(ends.values())

    async def wait_for(self, topic: str, records: int, seconds: float) -> float | None:
        """The monotonic time at which the topic has this number of records. None: it takes longer than `seconds`."""
        until = time.monotonic() + seconds
        while await self.record_count(topic) < records:
            if time.monotonic() > until:
                return None
            await asyncio.sleep(POLL_SECONDS)
        return time.monotonic()

    async def wait_until_idle(self, seconds: float) -> int:
        """Wait until every group has read everything, so that the next measurement has the machine for itself.

        Returns the number of records that were still unread after `seconds`.
        """
        until = time.monotonic() + seconds
        while True:
            unread = await self._unread()
            if not unread or time.monotonic() > until:
                return unread
            await asyncio.sleep(IDLE_POLL_SECONDS)

    async def _unread(self) -> int:
        groups: Sequence[tuple[str, ...]] = await self._admin.list_consumer_groups()
        unread = 0
        for group in groups:
            committed = await self._admin.list_consumer_group_offsets(group[0])
            ends = await self._consumer.end_offsets(list(committed))
            unread += sum(
                max(0, ends[partition] - offset.offset) for partition, offset in committed.items() if offset.offset >= 0
            )
        return unread
