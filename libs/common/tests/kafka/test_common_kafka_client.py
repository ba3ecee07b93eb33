"""Kafka client: settings that prevent lost records, the topics, and a broker that comes back."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from topic_harness import NOON, TopicHarness, alert

from spreader.clock import Clock
from spreader.contract.events import COMPACTED, DEAD_LETTER_TOPIC, PARTITIONS, Alert, MessageRouted, PackageConfigured
from spreader.kafka import broker as broker_module
from spreader.kafka.broker import Broker
from spreader.kafka.bus import PublishFailed
from spreader.kafka.client import PACKAGE_BYTES_MAX, KafkaBus, client_arguments, create_broker, partitions_of
from spreader.kafka.component import KafkaComponent
from spreader.kafka.guarded_consumer import Received
from spreader.kafka.subscription import Record, Subscription, check_subscribers_lose_nothing, subscribe
from spreader.kafka.topic_state import TopicIds
from spreader.kafka.topics import SET_ON_TOPIC, create_topics
from spreader.settings import Settings

NOWHERE = Settings(kafka_bootstrap_servers="127.0.0.1:1")


@pytest.mark.kafka
async def test_the_first_record_of_a_known_topic_costs_one_request(
    kafka_servers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dies when the producer has not learned the leaders before: the first record would wait for that."""
    settings = Settings(kafka_bootstrap_servers=kafka_servers)
    broker, send, requests = create_broker(settings, "test"), getattr(broker_module, "_send"), list[str]()  # noqa: B009

    def noted(connection: Any, request: Any, *arguments: Any, **options: Any) -> Any:
        requests.append(type(request).__name__)
        return send(connection, request, *arguments, **options)

    component = KafkaComponent(broker, settings, writes=(Alert.topic,))
    await component.start()
    monkeypatch.setattr(component, "check", asyncio.Event().wait)  # a check asks Kafka too
    monkeypatch.setattr(broker_module, "_send", noted)
    await KafkaBus(broker, "test", Clock()).publish(alert(1))
    assert requests == ["ProduceRequest"]
    await component.stop()


async def ignore(records: Sequence[Record]) -> None:
    """Do nothing with them."""


def test_a_subscriber_made_by_subscribe_loses_nothing() -> None:
    broker = create_broker(NOWHERE, "test")
    subscribe(broker, NOWHERE, Subscription("test", (Alert.topic, DEAD_LETTER_TOPIC)), ignore)
    check_subscribers_lose_nothing(broker)


@dataclass
class Starting:
    """A subscriber of which only the start counts."""

    start: Callable[[], Awaitable[object]]


async def nothing(*_: object) -> None:
    """Makes no connection."""


async def test_the_subscribers_of_a_broker_start_concurrently(monkeypatch: pytest.MonkeyPatch) -> None:
    all_three = asyncio.Barrier(3)
    monkeypatch.setattr(Broker, "connect", nothing)
    monkeypatch.setattr(Broker, "subscribers", [Starting(all_three.wait) for _ in range(3)])
    async with asyncio.timeout(10):
        await create_broker(NOWHERE, "test").start()


async def test_a_subscriber_that_cannot_start_raises_after_all_others_have_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended: list[str] = []

    async def fails() -> None:
        raise KafkaError("no")

    async def takes_its_time() -> None:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        ended.append("the other")

    monkeypatch.setattr(Broker, "connect", nothing)
    monkeypatch.setattr(Broker, "subscribers", [Starting(fails), Starting(takes_its_time)])
    with pytest.raises(KafkaError, match="no"):
        await create_broker(NOWHERE, "test").start()
    assert ended == ["the other"]


@pytest.mark.parametrize("policy", [policy for policy in AckPolicy if policy is not AckPolicy.NACK_ON_ERROR])
@pytest.mark.filterwarnings("ignore")
def test_a_subscriber_with_another_acknowledgement_is_refused(policy: AckPolicy) -> None:
    broker = create_broker(NOWHERE, "test")
    broker.subscriber("topic", group_id="g", auto_offset_reset="earliest", ack_policy=policy)
    with pytest.raises(AssertionError, match=r"use spreader\.kafka\.subscription\.subscribe"):
        check_subscribers_lose_nothing(broker)


def test_a_subscriber_that_skips_older_records_is_refused() -> None:
    broker = create_broker(NOWHERE, "test")
    broker.subscriber("topic", group_id="g", auto_offset_reset="latest", ack_policy=AckPolicy.NACK_ON_ERROR)
    with pytest.raises(AssertionError, match="auto_offset_reset is not earliest"):
        check_subscribers_lose_nothing(broker)


def test_a_router_without_the_acknowledgement_policy_is_refused() -> None:
    from faststream.kafka import KafkaRouter

    router = KafkaRouter()
    router.subscriber("topic", group_id="g", auto_offset_reset="earliest")
    broker = create_broker(NOWHERE, "test")
    broker.include_router(router)
    with pytest.raises(AssertionError, match="NACK_ON_ERROR"):
        check_subscribers_lose_nothing(broker)


@pytest.mark.kafka
async def test_all_topics_exist_and_creating_them_again_creates_nothing(kafka_servers: str) -> None:
    settings = Settings(kafka_bootstrap_servers=kafka_servers)
    assert await create_topics(settings) == []
    places = await partitions_of(settings, *PARTITIONS)
    assert Counter(place.topic for place in places) == PARTITIONS


@pytest.mark.kafka
async def test_only_states_are_compacted_and_dead_letters_may_be_the_largest_records(kafka_servers: str) -> None:
    admin = AIOKafkaAdminClient(**client_arguments(Settings(kafka_bootstrap_servers=kafka_servers)))
    await admin.start()
    try:
        answers: list[Any] = await admin.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, name) for name in PARTITIONS]
        )
    finally:
        await admin.close()
    resources = [resource for answer in answers for resource in answer.resources]
    configs = {resource[3]: {entry[0]: entry[1] for entry in resource[4]} for resource in resources}
    assert {name for name, each in configs.items() if each["cleanup.policy"] == "compact"} == COMPACTED
    in_tables = (DEAD_LETTER_TOPIC, PackageConfigured.topic)  # a table never sends its records to the dead letter topic
    largest = max(int(each["max.message.bytes"]) for name, each in configs.items() if name not in in_tables)
    assert int(configs[DEAD_LETTER_TOPIC]["max.message.bytes"]) > largest
    packages = configs[PackageConfigured.topic]
    assert int(packages["segment.bytes"]) > int(packages["max.message.bytes"]) == PACKAGE_BYTES_MAX
    kept = {name: each for name, each in configs.items() if name not in COMPACTED}
    assert {_longest_life(each) for each in kept.values()} == {timedelta(days=7, hours=12)}
    assert {configs[name]["max.compaction.lag.ms"] for name in COMPACTED} == {"86400000"}
    assert {each["segment.ms"] for each in configs.values()} == {"43200000"}


def _longest_life(config: Mapping[str, str]) -> timedelta:
    """Kafka removes a segment when its newest record is old enough."""
    return timedelta(milliseconds=int(config["retention.ms"]) + int(config["segment.ms"]))


@pytest.mark.kafka
async def test_existing_topics_get_the_settings_that_they_lack_and_keep_those_of_the_operator(
    kafka_servers: str,
) -> None:
    settings = Settings(kafka_bootstrap_servers=kafka_servers)
    compacted, ordinary = PackageConfigured.topic, Alert.topic
    before = await _own_settings(settings, compacted, ordinary)
    try:
        await _replace_settings(settings, {ordinary: {"retention.ms": "1000000000", "segment.ms": "777000000"}})
        await _replace_settings(settings, {compacted: {"cleanup.policy": "compact", "segment.bytes": "16777216"}})
        await create_topics(settings)
        after = await _own_settings(settings, compacted, ordinary)
        assert after[ordinary] == {"retention.ms": "1000000000", "segment.ms": "777000000"}
        assert after[compacted] == {
            "cleanup.policy": "compact",
            "segment.ms": "43200000",
            "max.compaction.lag.ms": "86400000",
            "segment.bytes": "67108864",
            "max.message.bytes": "33554432",
        }
    finally:
        await _replace_settings(settings, before)


async def _own_settings(settings: Settings, *topics: str) -> dict[str, dict[str, str]]:
    """The settings that are set on each topic, without defaults."""
    admin = AIOKafkaAdminClient(**client_arguments(settings))
    await admin.start()
    try:
        answers: list[Any] = await admin.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, name) for name in topics]
        )
    finally:
        await admin.close()
    return {
        resource["resource_name"]: {
            entry["config_names"]: entry["config_value"]
            for entry in resource["config_entries"]
            if entry["config_source"] == SET_ON_TOPIC
        }
        for answer in answers
        for resource in answer.to_object()["resources"]
    }


async def _replace_settings(settings: Settings, configs: Mapping[str, dict[str, str]]) -> None:
    """Give topics exactly these settings of their own."""
    admin = AIOKafkaAdminClient(**client_arguments(settings))
    await admin.start()
    try:
        await admin.alter_configs(
            [ConfigResource(ConfigResourceType.TOPIC, name, wanted) for name, wanted in configs.items()]
        )
    finally:
        await admin.close()


@pytest.mark.kafka
def test_a_deployment_creates_the_topics_with_one_command(kafka_servers: str) -> None:
    command = [sys.executable, "-m", "spreader", "topics"]
    environment = {**os.environ, "SPREADER_KAFKA_BOOTSTRAP_SERVERS": kafka_servers}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "all topics exist" in done.stdout


@pytest.mark.parametrize("command", ["topics", "replay"])
def test_a_command_reports_in_one_line_that_kafka_is_unavailable(command: str) -> None:
    environment = {**os.environ, "SPREADER_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"}
    arguments = [sys.executable, "-m", "spreader", command]
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
    assert done.stderr.startswith("Kafka at 127.0.0.1:9 failed")


@pytest.mark.kafka
async def test_topic_ids_differ_stay_the_same_and_come_with_the_cluster_id(harness: TopicHarness) -> None:
    topic_ids = TopicIds(harness.settings)
    known = await topic_ids.of([*PARTITIONS, "no-such-topic"])
    assert known.cluster_id
    assert known.ids.keys() == PARTITIONS.keys()
    assert len(set(known.ids.values())) == len(PARTITIONS)
    assert "" not in known.ids.values()
    await topic_ids.close()
    assert await topic_ids.of(PARTITIONS) == known
    await topic_ids.close()


async def test_topic_ids_without_kafka_are_a_lost_connection() -> None:
    with pytest.raises(ConnectionError, match="did not tell the ids"):
        await TopicIds(NOWHERE).of(PARTITIONS)


@pytest.mark.kafka
async def test_reading_alone_is_refused_with_a_real_broker(harness: TopicHarness) -> None:
    alone = harness.settings.model_copy(update={"kafka_alone": True})
    part = KafkaComponent(create_broker(alone, "test"), alone)
    with pytest.raises(ValueError, match="this is not the in-memory broker of a trial"):
        await part.start()
    await part.stop()


@pytest.mark.kafka
async def test_reading_alone_joins_no_group_and_continues_after_a_restart(
    harness: TopicHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spreader.kafka.component.TRIAL_CLUSTER", "")
    harness.settings = harness.settings.model_copy(update={"kafka_alone": True, "instance": "test-1"})
    read: list[str] = []

    async def note(batch: Sequence[Received[Alert]]) -> None:
        read.extend(each.event.alert_id for each in batch)

    first = await harness.join(note)
    await harness.put(alert(1), alert(2))
    await harness.wait_until_consumed()
    assert await members(harness) == 0
    await harness.leave(first)
    await harness.join(note)
    await harness.put(alert(3))
    await harness.wait_until_consumed()
    assert read == ["alr_1", "alr_2", "alr_3"]


async def members(harness: TopicHarness) -> int:
    """How many have joined the group."""
    admin = AIOKafkaAdminClient(**client_arguments(harness.settings))
    await admin.start()
    try:
        answers: list[Any] = await admin.describe_consumer_groups([harness.group])
    finally:
        await admin.close()
    return sum(len(group[5]) for answer in answers for group in answer.groups)


@pytest.mark.kafka
async def test_a_bus_publishes_by_key_and_callbacks_to_their_partition(harness: TopicHarness) -> None:
    broker = create_broker(harness.settings, "test")
    part = KafkaComponent(broker, harness.settings)
    await part.start()
    bus = KafkaBus(broker, "test", Clock())
    callback = MessageRouted(callback_partition=11, message_id="msg_1", first_index=0, distribution={})
    before = await end_offsets(harness, MessageRouted.topic, Alert.topic)
    await bus.publish(callback, *(alert(number) for number in range(2_500)))
    after = await end_offsets(harness, MessageRouted.topic, Alert.topic)
    await part.stop()
    grown = {place: after[place] - before[place] for place in after if after[place] != before[place]}
    assert sorted(grown.values()) == [1, 2_500]  # equal keys, one partition
    assert grown[MessageRouted.topic, 11] == 1


async def end_offsets(harness: TopicHarness, *topics: str) -> dict[tuple[str, int], int]:
    ends = await harness.reader.end_offsets(await partitions_of(harness.settings, *topics))
    return {(place.topic, place.partition): end for place, end in ends.items()}


async def test_a_bus_without_a_started_broker_raises() -> None:
    with pytest.raises(PublishFailed):
        await KafkaBus(create_broker(NOWHERE, "test"), "test", lambda: NOON).publish(alert(1))


@pytest.mark.kafka
async def test_a_component_continues_after_a_restart(harness: TopicHarness) -> None:
    done: Counter[str] = Counter()

    async def count(batch: Sequence[Received[Alert]]) -> None:
        done.update(each.event.alert_id for each in batch)

    await harness.put(alert(1))
    part = await harness.join(count)
    await harness.wait_until_consumed()
    await part.stop()
    await harness.put(alert(2))
    await part.start()
    await harness.wait_until_consumed()
    assert done == {"alr_1": 1, "alr_2": 1}


async def test_a_component_that_cannot_start_leaves_nothing_open_and_may_retry() -> None:
    broker = create_broker(NOWHERE, "test")
    subscribe(broker, NOWHERE, Subscription("test", (Alert.topic,)), ignore)
    part = KafkaComponent(broker, NOWHERE)
    for _ in range(3):
        with pytest.raises(Exception, match="Unable to bootstrap"):
            await part.start()
    await part.stop()


def test_a_broker_requires_all_replicas_and_creates_no_topic() -> None:
    broker: KafkaBroker = create_broker(NOWHERE, "test")
    arguments: dict[str, Any] = getattr(broker, "_connection_kwargs")  # noqa: B009 - FastStream shows it nowhere else
    assert arguments["acks"] == "all"
    assert arguments["enable_idempotence"] is False
    assert arguments["linger_ms"] == 0


async def test_only_a_stop_cancels_a_handler(harness: TopicHarness) -> None:
    """A stop lets the batch in hand end, and commits it."""
    began, may_end, done = asyncio.Event(), asyncio.Event(), list[str]()

    async def slow(batch: Sequence[Received[Alert]]) -> None:
        began.set()
        await may_end.wait()
        done.extend(each.event.alert_id for each in batch)

    await harness.put(alert(1))
    part = await harness.join(slow)
    await began.wait()
    leaving = asyncio.create_task(harness.leave(part))
    await asyncio.sleep(0)
    may_end.set()
    await leaving
    assert done == ["alr_1"]
    assert await harness.committed() == await harness.end()
