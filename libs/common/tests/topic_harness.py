"""Topic harness: publishes to one Kafka topic, reads it with a guarded consumer, and collects the dead letters."""

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
from spreader.kafka.subscription import NO_GATHERING, Gathering
from spreader.settings import Settings

TOPIC = Alert.topic
PARTITION = TopicPartition(TOPIC, 0)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

Headers = Sequence[tuple[str, bytes]]


def alert(number: int | str) -> Alert:
    return Alert(
        alert_id=f"alr_{number}",
        profile_id="prf_1",
        package_id="pkg_1",
        kind="test",
        state="raised",
        evidence="none",
        at=NOON,
    )


@dataclass
class TopicHarness:
    """Uses partition 0 of the alerts topic, and a consumer group of its own that starts at the end."""

    settings: Settings
    group: str
    producer: AIOKafkaProducer
    reader: AIOKafkaConsumer
    members: list[KafkaComponent] = field(default_factory=list)
    letters: list[ConsumerRecord[bytes, bytes]] = field(default_factory=list)

    async def put(self, *alerts: Alert) -> None:
        for event in alerts:
            envelope = encode(event, "test", NOON)
            await self.put_raw(envelope.body, [(name, value.encode()) for name, value in envelope.headers.items()])

    async def put_raw(self, body: bytes | None, headers: Headers = (), key: bytes | None = None) -> None:
        await self.producer.send_and_wait(TOPIC, body, key=key, partition=0, headers=list(headers))

    async def join(self, handle: Handler[Alert], gathering: Gathering = NO_GATHERING) -> KafkaComponent:
        """Join the group with a guarded consumer."""
        broker = create_broker(self.settings, "test")
        consumer = GuardedConsumer(self.group, handle, (Alert,), KafkaBus(broker, "test", Clock()))
        consumer.subscribe(broker, self.settings, gathering=gathering)
        component = KafkaComponent(broker, self.settings, [consumer])
        await component.start()
        self.members.append(component)
        return component

    async def leave(self, component: KafkaComponent) -> None:
        self.members.remove(component)
        await component.stop()

    async def committed(self) -> int:
        """The offset that the group has committed."""
        consumer = AIOKafkaConsumer(**client_arguments(self.settings), group_id=self.group, enable_auto_commit=False)
        await consumer.start()
        try:
            return await consumer.committed(PARTITION) or 0
        finally:
            await consumer.stop()

    async def end(self) -> int:
        return (await self.reader.end_offsets([PARTITION]))[PARTITION]

    async def wait_until_consumed(self) -> None:
        """Return when the group has committed everything that was put."""
        async with asyncio.timeout(60):
            while await self.committed() < await self.end():
                pass

    async def dead_letters(self, count: int) -> list[ConsumerRecord[bytes, bytes]]:
        """The dead letters of this group in order of their offsets, once there are `count`."""
        async with asyncio.timeout(60):
            while len(self.letters) < count:
                await self._read_letters(timeout_ms=500)
        await self._read_letters(timeout_ms=100)
        return sorted(self.letters, key=lambda record: int(dict(record.headers).get("dead_letter_offset", b"0")))

    async def _read_letters(self, timeout_ms: int) -> None:
        for records in (await self.reader.getmany(timeout_ms=timeout_ms)).values():
            mine = ("dead_letter_group", self.group.encode())
            self.letters.extend(record for record in records if mine in record.headers)


@asynccontextmanager
async def open_harness(kafka_servers: str) -> AsyncGenerator[TopicHarness]:
    settings = Settings(kafka_bootstrap_servers=kafka_servers)
    harness = TopicHarness(
        settings,
        f"test-{uuid.uuid4().hex[:8]}",
        AIOKafkaProducer(**client_arguments(settings), acks="all", max_request_size=4_000_000),
        AIOKafkaConsumer(**client_arguments(settings), enable_auto_commit=False),
    )
    try:
        await harness.producer.start()
        await harness.reader.start()
        await _start_at_the_end(harness)
        yield harness
    finally:
        for component in [*harness.members]:
            await harness.leave(component)
        await harness.reader.stop()
        await harness.producer.stop()


async def _start_at_the_end(harness: TopicHarness) -> None:
    """Skip the records of other tests in the same topics."""
    partitions = await partitions_of(harness.settings, DEAD_LETTER_TOPIC)
    harness.reader.assign(partitions)
    await harness.reader.seek_to_end(*partitions)
    for partition in partitions:
        await harness.reader.position(partition)
    group = AIOKafkaConsumer(**client_arguments(harness.settings), group_id=harness.group, enable_auto_commit=False)
    await group.start()
    group.assign(await partitions_of(harness.settings, TOPIC))
    await group.commit(await group.end_offsets(list(group.assignment())))
    await group.stop()
