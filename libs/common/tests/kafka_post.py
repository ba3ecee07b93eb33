"""Post: one Kafka topic as a test sees it: what goes in, who reads it behind the boundary, what was buried."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from spreader.clock import Clock
from spreader.contract.events import DEAD_LETTER_TOPIC, Alert
from spreader.kafka.client import KafkaBus, client_arguments, create_broker, partitions_of
from spreader.kafka.component import KafkaComponent
from spreader.kafka.envelope import encode
from spreader.kafka.guarded_consumer import GuardedConsumer, Handler
from spreader.settings import Settings

TOPIC = Alert.topic
PLACE = TopicPartition(TOPIC, 0)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

Headers = Sequence[tuple[str, bytes]]


def alert(number: int | str) -> Alert:
    return Alert(
        alert_id=f"alr_{number}", profile_id="prf_1", package_id="pkg_1", kind="test", state="raised",
        evidence="none", at=NOON,
    )  # fmt: skip


@dataclass
class Post:
    """Everything goes to partition 0 of the alerts, from where this test's own group begins to read."""

    settings: Settings
    group: str
    producer: AIOKafkaProducer
    reader: AIOKafkaConsumer
    members: list[KafkaComponent] = field(default_factory=list)
    buried: list[ConsumerRecord[bytes, bytes]] = field(default_factory=list)

    async def put(self, *alerts: Alert) -> None:
        for each in alerts:
            envelope = encode(each, "test", NOON)
            await self.put_raw(envelope.body, [(name, value.encode()) for name, value in envelope.headers.items()])

    async def put_raw(self, body: bytes | None, headers: Headers = (), key: bytes | None = None) -> None:
        await self.producer.send_and_wait(TOPIC, body, key=key, partition=0, headers=list(headers))

    async def member(self, handle: Handler[Alert], gather_ms: int = 0) -> KafkaComponent:
        """Join the group with `handle` behind a boundary."""
        broker = create_broker(self.settings, "test")
        boundary = GuardedConsumer(self.group, handle, (Alert,), KafkaBus(broker, "test", Clock()))
        boundary.subscribe(broker, self.settings, gather_ms=gather_ms)
        part = KafkaComponent(broker, self.settings, [boundary])
        await part.start()
        self.members.append(part)
        return part

    async def leave(self, part: KafkaComponent) -> None:
        self.members.remove(part)
        await part.stop()

    async def committed(self) -> int:
        """The offset from which the group would go on, had everybody died now."""
        consumer = AIOKafkaConsumer(**client_arguments(self.settings), group_id=self.group, enable_auto_commit=False)
        await consumer.start()
        try:
            return await consumer.committed(PLACE) or 0
        finally:
            await consumer.stop()

    async def end(self) -> int:
        return (await self.reader.end_offsets([PLACE]))[PLACE]

    async def all_read(self) -> None:
        """Return when the group has finished with everything that was put in."""
        async with asyncio.timeout(60):
            while await self.committed() < await self.end():
                pass

    async def dead_letters(self, count: int) -> list[ConsumerRecord[bytes, bytes]]:
        """What this test's group has buried, in the order of the log, once there are `count`."""
        async with asyncio.timeout(60):
            while len(self.buried) < count:
                await self._dig(timeout_ms=500)
        await self._dig(timeout_ms=100)
        return sorted(self.buried, key=lambda record: int(dict(record.headers)["dead_letter_offset"]))

    async def _dig(self, timeout_ms: int) -> None:
        for records in (await self.reader.getmany(timeout_ms=timeout_ms)).values():
            mine = ("dead_letter_group", self.group.encode())
            self.buried.extend(record for record in records if mine in record.headers)


@asynccontextmanager
async def opened(kafka_servers: str) -> AsyncGenerator[Post]:
    settings = Settings(kafka_bootstrap_servers=kafka_servers)
    post = Post(
        settings,
        f"test-{uuid.uuid4().hex[:8]}",
        AIOKafkaProducer(**client_arguments(settings), acks="all", max_request_size=4_000_000),
        AIOKafkaConsumer(**client_arguments(settings), enable_auto_commit=False),
    )
    try:
        await post.producer.start()
        await post.reader.start()
        await _begin_at_the_end(post)
        yield post
    finally:
        for part in [*post.members]:
            await post.leave(part)
        await post.reader.stop()
        await post.producer.stop()


async def _begin_at_the_end(post: Post) -> None:
    """Other tests have used the same topics: this one's group and its search for dead letters start behind theirs."""
    places = await partitions_of(post.settings, DEAD_LETTER_TOPIC)
    post.reader.assign(places)
    await post.reader.seek_to_end(*places)
    for place in places:
        await post.reader.position(place)
    group = AIOKafkaConsumer(**client_arguments(post.settings), group_id=post.group, enable_auto_commit=False)
    await group.start()
    group.assign(await partitions_of(post.settings, TOPIC))
    await group.commit(await group.end_offsets(list(group.assignment())))
    await group.stop()
