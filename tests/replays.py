"""Replays: puts the offsets of all consumer groups back to the beginning, and waits until the groups have read all."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from spreader.contract.events import PARTITIONS
from spreader.kafka.topic_state import TopicIds
from spreader.kafka.topics import create_topics
from spreader.settings import Settings

SERVICES = ("ingress", "router", "pacer", "sender", "stats")
GROUPS = ("ingress", "router", "pacer", "sender-reply", "sender-open", "sender-receipts", "stats")
MEMBERS_LEAVE_SECONDS = 60
RECREATED_SECONDS = 60
POLL_SECONDS = 0.2
UNFINISHED = """
SELECT (SELECT count(*) FROM sender.delivery WHERE state <> 'settled')
     + (SELECT count(*) FROM sender.unpublished)
     + (SELECT count(*) FROM pacer.delivery WHERE state IN ('held', 'released') OR NOT announced)"""


class Groups:
    """The consumer groups of all services at one Kafka."""

    def __init__(self, servers: str) -> None:
        self._servers = servers

    async def rewind(self) -> int:
        """Put all committed offsets to 0; returns how many records are read again."""
        offsets, ends = await self.committed(), await self.ends()
        for group, of_group in offsets.items():
            consumer = AIOKafkaConsumer(bootstrap_servers=self._servers, group_id=group, enable_auto_commit=False)
            async with consumer, asyncio.timeout(MEMBERS_LEAVE_SECONDS):
                consumer.assign(list(of_group))
                while True:
                    with contextlib.suppress(KafkaError):  # Kafka still waits for members that were killed
                        await consumer.commit(dict.fromkeys(of_group, 0))
                        break
                    await asyncio.sleep(POLL_SECONDS)
        return sum(ends[partition] for of_group in offsets.values() for partition in of_group)

    async def committed(self) -> dict[str, dict[TopicPartition, int]]:
        async with _admin(self._servers) as admin:
            found: dict[str, Any] = {group: await admin.list_consumer_group_offsets(group) for group in GROUPS}
        return {
            group: {partition: stored.offset for partition, stored in of_group.items() if stored.offset >= 0}
            for group, of_group in found.items()
        }

    async def ends(self) -> Mapping[TopicPartition, int]:
        partitions = {partition for of_group in (await self.committed()).values() for partition in of_group}
        async with AIOKafkaConsumer(bootstrap_servers=self._servers) as consumer:
            return await consumer.end_offsets(list(partitions))

    async def unread(self) -> int:
        offsets, ends = await self.committed(), await self.ends()
        return sum(ends[partition] - offset for of_group in offsets.values() for partition, offset in of_group.items())

    async def records(self) -> int:
        """The records of all topics that a group reads."""
        return sum((await self.ends()).values())


async def recreate_topics(servers: str) -> None:
    """Get rid of the records of other tests, which would be replayed as well."""
    settings = Settings(kafka_bootstrap_servers=servers)
    topic_ids = TopicIds(settings)
    old = (await topic_ids.of(PARTITIONS)).ids
    async with _admin(servers) as admin:
        await admin.delete_topics(list(PARTITIONS))
    async with asyncio.timeout(RECREATED_SECONDS):
        while len({*(await topic_ids.of(PARTITIONS)).ids.values()} - {*old.values()}) < len(PARTITIONS):
            with contextlib.suppress(KafkaError):  # their deletion has not ended
                await create_topics(settings)
    await topic_ids.close()


async def until_quiet(groups: Groups, database_url: str, seconds: float) -> None:
    """Return when all groups have read everything and no delivery is unfinished, twice in a row."""
    quiet, seen = 0, (-1, -1)
    try:
        async with asyncio.timeout(seconds):
            while quiet < 2:
                seen = await groups.unread(), await unfinished(database_url)
                quiet = quiet + 1 if seen == (0, 0) else 0
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise AssertionError(f"after {seconds:g} s (unread, unfinished) is {seen}") from None


async def unfinished(database_url: str) -> int:
    return int((await _query(database_url, [UNFINISHED]))[0])


async def empty_positions(database_url: str) -> int:
    """Delete all stored offsets; returns how many there were."""
    deleted = await _query(
        database_url,
        [f"WITH gone AS (DELETE FROM {schema}.position RETURNING 1) SELECT count(*) FROM gone" for schema in SERVICES],
    )
    return sum(map(int, deleted))


async def _query(database_url: str, statements: Collection[str]) -> Sequence[Any]:
    connection = await asyncpg.connect(database_url)
    try:
        return [await connection.fetchval(statement) for statement in statements]
    finally:
        await connection.close()


@contextlib.asynccontextmanager
async def _admin(servers: str) -> AsyncGenerator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()
