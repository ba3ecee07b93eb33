"""Restart: the time from the start of a pacer to its first release in Kafka, with a cold Postgres."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition

from bench.pacer.workload import AT_WALL_SPEED, WORKLOAD
from bench.servers import Servers, servers
from spreader.clock import wall_now
from spreader.contract.events import PARTITIONS, DeliveryReleased
from spreader.kafka.envelope import encode


@dataclass(frozen=True, slots=True)
class Restart:
    """A Kafka with the configured packages, and the real process `python -m pacer`."""

    servers: Servers

    async def run(self, url: str) -> float:
        """The seconds from just before the start of the process until its first release is published."""
        partitions = [
            TopicPartition(DeliveryReleased.topic, each) for each in range(PARTITIONS[DeliveryReleased.topic])
        ]
        released = AIOKafkaConsumer(bootstrap_servers=self.servers.environment["SPREADER_KAFKA_BOOTSTRAP_SERVERS"])
        await released.start()
        try:
            released.assign(partitions)
            await released.seek_to_end()
            began = wall_now()
            async with self.servers.run_service("pacer", SPREADER_DATABASE_URL=url):
                record = await released.getone()
            return record.timestamp / 1000 - began.timestamp()
        finally:
            await released.stop()


@asynccontextmanager
async def restarts() -> AsyncGenerator[Restart]:
    async with servers() as beside:
        events = WORKLOAD.configured(AT_WALL_SPEED)
        await beside.publish([encode(event, "bench", wall_now()) for event in events])
        yield Restart(beside)
