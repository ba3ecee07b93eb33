"""Partitions: an operator who adds partitions moves no key, so the order of the records of a key stays."""

import uuid
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st

from spreader.clock import Clock
from spreader.contract.events import PARTITIONS
from spreader.kafka.client import KafkaBus, client_arguments, create_broker, partitions_of
from spreader.kafka.envelope import Envelope
from spreader.kafka.partitions import partition_of
from spreader.settings import Settings

KEYS = [f"pkg_1:2011{number:08}".encode() for number in range(40)]


@asynccontextmanager
async def topic_with(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, created: int, known: int
) -> AsyncGenerator[tuple[AIOKafkaAdminClient, str]]:
    """A topic with `created` partitions, which the contract says to have `known`."""
    topic = f"spreader.test-{uuid.uuid4().hex}"
    monkeypatch.setitem(dict_of_partitions(), topic, known)
    admin = AIOKafkaAdminClient(**client_arguments(settings))
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, created, 1)])
        await until_shown(admin, topic, created)
        yield admin, topic
        await admin.delete_topics([topic])
    finally:
        await admin.close()


async def until_shown(admin: AIOKafkaAdminClient, topic: str, partitions: int) -> None:
    """Kafka answers a request to create partitions before all its answers show them."""
    while len((await admin.describe_topics([topic]))[0]["partitions"]) < partitions:
        pass


def dict_of_partitions() -> dict[str, int]:
    assert isinstance(PARTITIONS, dict)
    return PARTITIONS


async def publish(settings: Settings, topic: str, body: bytes) -> None:
    """Publish a record of each key, as a service does that has just learned how many partitions there are."""
    broker = create_broker(settings, "test")
    await broker.start()
    try:
        envelopes = [Envelope(topic, key, body, {}) for key in KEYS]
        await KafkaBus(broker, "test", Clock()).publish_envelopes(*envelopes)
    finally:
        await broker.stop()


@given(st.sampled_from(sorted(PARTITIONS)), st.binary(max_size=40))
def test_a_key_has_the_partition_that_kafkas_own_clients_give_it(topic: str, key: bytes) -> None:
    assert partition_of(topic, key) == DefaultPartitioner()(key, list(range(PARTITIONS[topic])), [])


@pytest.mark.kafka
async def test_the_records_of_a_key_stay_in_order_when_partitions_are_added(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with topic_with(settings, monkeypatch, 6, 6) as (admin, topic):
        await publish(settings, topic, b"1")
        await admin.create_partitions({topic: NewPartitions(total_count=17)})
        await until_shown(admin, topic, 17)
        await publish(settings, topic, b"2")
        partitions = await partitions_of(settings, topic)
        assert len(partitions) == 17
        found = defaultdict[bytes | None, list[tuple[int, bytes | None]]](list)
        async with AIOKafkaConsumer(**client_arguments(settings)) as consumer:
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
            while sum(map(len, found.values())) < 2 * len(KEYS):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    for record in records:
                        found[record.key].append((record.partition, record.value))
    for key in KEYS:
        assert found[key] == [(partition_of(topic, key) or 0, b"1"), (partition_of(topic, key) or 0, b"2")]


@pytest.mark.kafka
async def test_a_topic_with_too_few_partitions_is_refused_with_what_to_do(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with topic_with(settings, monkeypatch, 2, 6) as (_, topic):
        with pytest.raises(KafkaError, match=f"{topic} has 2 partitions, but Spreader writes to 6: stop all services"):
            await partitions_of(settings, topic)
