"""Topic state: the ids of topics, the ends of their partitions, and the records that they have now.

A topic that was deleted and created again has another id. Kafka is asked over separate connections, because on a
reader's connection each question would wait until the reader's long poll has ended.
"""

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from spreader.kafka.client import client_arguments, partitions_of
from spreader.kafka.lifetimes import closed, started
from spreader.kafka.protocol import TopicsRequest
from spreader.kafka.subscription import Record
from spreader.settings import Settings

ANSWER_SECONDS = 5.0
POLL_MS = 1_000
RECORDS_MAX = 500


@dataclass(frozen=True, slots=True)
class KnownTopics:
    """The cluster's id, and the id of each topic that exists. An id is "" if the broker gives its topics no ids."""

    cluster_id: str
    ids: Mapping[str, str]


class TopicIds:
    """Asks Kafka for the ids of topics. It connects when it is first asked."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: AIOKafkaClient | None = None
        self._asking = asyncio.Lock()

    async def of(self, topics: Collection[str]) -> KnownTopics:
        """Raises OSError or TimeoutError if Kafka does not answer within a few seconds."""
        async with self._asking:
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    return await self._ask(topics)
            except KafkaError as error:
                await self.close()  # the next question connects again: the brokers may have other addresses by now
                raise ConnectionError(f"Kafka did not tell the ids of its topics: {error!r}") from error

    async def close(self) -> None:
        if self._client is not None:
            client, self._client = self._client, None
            await closed(client.close())

    async def _ask(self, topics: Collection[str]) -> KnownTopics:
        if self._client is None:
            client = AIOKafkaClient(**client_arguments(self._settings))
            await started(client.bootstrap(), client.close)
            self._client = client
        response = await self._client.send(self._client.get_random_node(), TopicsRequest(sorted(topics)))
        answer: dict[str, Any] = response.to_object()
        ids = {topic["topic"]: topic.get("topic_id", "") for topic in answer["topics"] if not topic["error_code"]}
        return KnownTopics(str(answer["cluster_id"]), ids)


class EndOffsets:
    """Asks Kafka for the ends of partitions. It connects when it is first asked."""

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


async def read_records(
    consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]
) -> AsyncGenerator[Sequence[Record]]:
    """All records before `ends`, in batches of one partition each. The caller must have assigned the partitions to the
    consumer."""
    await consumer.seek_to_beginning(*ends)
    while any([await consumer.position(partition) < end for partition, end in ends.items()]):
        polled = await consumer.getmany(timeout_ms=POLL_MS, max_records=RECORDS_MAX)
        for partition, records in polled.items():
            yield [record for record in records if record.offset < ends[partition]]


async def read_topic(settings: Settings, topic: str) -> AsyncGenerator[Sequence[Record]]:
    """All records that the topic has now, in batches of one partition each. Raises KafkaError or OSError."""
    partitions = await partitions_of(settings, topic)
    consumer = AIOKafkaConsumer(**client_arguments(settings), enable_auto_commit=False, auto_offset_reset="earliest")
    await started(consumer.start(), consumer.stop)
    try:
        consumer.assign(partitions)
        async for records in read_records(consumer, await consumer.end_offsets(partitions)):
            yield records
    finally:
        await closed(consumer.stop())
