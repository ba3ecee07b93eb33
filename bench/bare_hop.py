"""Bare hop: a process that copies each record from one topic to another. A reply passes three such hops."""

import asyncio
import sys

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bench.child import say_ready

POLL_MS = 1_000


async def consumer_at_end(kafka: str, topic: str, partitions: int) -> AIOKafkaConsumer:
    """A consumer without a group that reads only records written from now on."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, group_id=None, enable_auto_commit=False)
    await consumer.start()
    partition_list = [TopicPartition(topic, number) for number in range(partitions)]
    consumer.assign(partition_list)
    await consumer.seek_to_end(*partition_list)
    for partition in partition_list:
        await consumer.position(partition)
    return consumer


async def _relay(kafka: str, source: str, target: str, partitions: int) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", linger_ms=0)
    await producer.start()
    consumer = await consumer_at_end(kafka, source, partitions)
    say_ready()
    try:
        while True:
            polled = await consumer.getmany(timeout_ms=POLL_MS)
            for records in polled.values():
                for record in records:
                    await producer.send(target, record.value, record.key, headers=list(record.headers))
    finally:
        await consumer.stop()
        await producer.stop()


def main() -> None:
    """`python -m bench.bare_hop <bootstrap servers> <source> <target> <partitions of the source>`."""
    kafka, source, target, partitions = sys.argv[1:]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_relay(kafka, source, target, int(partitions)))


if __name__ == "__main__":
    main()
