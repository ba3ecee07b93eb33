"""Kafka: the one place that knows FastStream and aiokafka, and every setting that keeps them from losing records."""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.security import BaseSecurity, SASLPlaintext

from spreader.bus import Unpublished
from spreader.clock import Now
from spreader.envelope import Envelope, seal
from spreader.events import COMPACTED, PARTITIONS, Event
from spreader.settings import Settings

Record = ConsumerRecord[bytes | None, bytes | None]

BATCH_RECORDS_MAX = 500
BATCH_WAIT_MS = 20  # an idle batch subscriber waits this long between polls: the price of batches in latency
SESSION_TIMEOUT_MS = 6_000  # a killed member's partitions are taken over after this: "resumes within 10 s"
HEARTBEAT_MS = 1_000
REBALANCE_TIMEOUT_MS = 60_000
FETCH_WAIT_MS = 100
PRODUCE_BATCH_BYTES = 262_144
REQUEST_TIMEOUT_MS = 10_000
DRAIN_SECONDS = 20.0
PUBLISH_WINDOW = 2_000
SEGMENT_BYTES_COMPACTED = 16 * 1024 * 1024


def _security(settings: Settings) -> BaseSecurity | None:
    if settings.kafka_security == "PLAINTEXT":
        return None
    context = ssl.create_default_context(cafile=settings.kafka_ca_file) if "SSL" in settings.kafka_security else None
    if settings.kafka_security.startswith("SASL"):
        return SASLPlaintext(
            username=settings.kafka_username or "",
            password=settings.kafka_password or "",
            ssl_context=context,
            use_ssl=context is not None,
        )
    return BaseSecurity(ssl_context=context, use_ssl=True)


def client_arguments(settings: Settings) -> dict[str, Any]:
    """What a bare aiokafka client needs to reach the same brokers."""
    arguments: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap_servers,
        "security_protocol": settings.kafka_security,
        "request_timeout_ms": REQUEST_TIMEOUT_MS,
    }
    if "SSL" in settings.kafka_security:
        arguments["ssl_context"] = ssl.create_default_context(cafile=settings.kafka_ca_file)
    if settings.kafka_security.startswith("SASL"):
        arguments["sasl_mechanism"] = "PLAIN"
        arguments["sasl_plain_username"] = settings.kafka_username
        arguments["sasl_plain_password"] = settings.kafka_password
    return arguments


def create_broker(settings: Settings, service: str, request_timeout_ms: int = REQUEST_TIMEOUT_MS) -> KafkaBroker:
    """A broker that is not started. No idempotent producer: readers drop repeats, and aiokafka's can fail for ever."""
    return KafkaBroker(
        settings.kafka_bootstrap_servers,
        client_id=settings.instance or service,
        security=_security(settings),
        acks="all",
        enable_idempotence=False,
        linger_ms=0,
        max_batch_size=PRODUCE_BATCH_BYTES,
        request_timeout_ms=request_timeout_ms,
        metadata_max_age_ms=30_000,
        graceful_timeout=DRAIN_SECONDS,
        allow_auto_create_topics=False,
        ack_policy=AckPolicy.NACK_ON_ERROR,
        logger=logging.getLogger("faststream"),
        log_level=logging.DEBUG,
        apply_types=False,
    )


RecordsHandler = Callable[[Sequence[Record]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a service reads: topics, as which group, how many records at once."""

    group: str
    topics: tuple[str, ...]
    records_max: int = BATCH_RECORDS_MAX
    wait_ms: int = BATCH_WAIT_MS


def subscribe(broker: KafkaBroker, settings: Settings, subscription: Subscription, handle: RecordsHandler) -> None:
    """Give `handle` batches of records; what it has returned from is committed, what it raises from comes again.

    The acknowledgement policy stands on every subscriber: one on the broker does not reach them all (FastStream 0.7).
    """
    member = f"{settings.instance}-{'-'.join(subscription.topics)}" if settings.instance else None

    async def on_batch(message: KafkaMessage) -> None:
        records = message.raw_message
        await handle(records if isinstance(records, tuple) else (records,))

    broker.subscriber(
        *subscription.topics,
        batch=True,
        group_id=subscription.group,
        group_instance_id=member,
        max_records=subscription.records_max,
        batch_timeout_ms=subscription.wait_ms,
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.NACK_ON_ERROR,
        session_timeout_ms=SESSION_TIMEOUT_MS,
        heartbeat_interval_ms=HEARTBEAT_MS,
        rebalance_timeout_ms=REBALANCE_TIMEOUT_MS,
        fetch_max_wait_ms=FETCH_WAIT_MS,
        no_reply=True,
    )(on_batch)


def assert_nothing_is_lost(broker: KafkaBroker) -> None:
    """Raise where a subscriber would acknowledge before its work is done, or skip what was there before it."""
    for subscriber in broker.subscribers:
        arguments: dict[str, Any] = getattr(subscriber, "_connection_args")  # noqa: B009 - FastStream shows it nowhere else
        loses = {
            "ack_policy is not NACK_ON_ERROR": subscriber.ack_policy is not AckPolicy.NACK_ON_ERROR,
            "enable_auto_commit is on": bool(arguments.get("enable_auto_commit")),
            "auto_offset_reset is not earliest": arguments.get("auto_offset_reset") != "earliest",
        }
        if any(loses.values()):
            wrong = ", ".join(text for text, is_so in loses.items() if is_so)
            raise AssertionError(f"a subscriber would lose records: {wrong}; declare it with spreader.kafka.subscribe")


@dataclass(frozen=True, slots=True)
class KafkaBus:
    """The bus over a started broker. Events of one call may be written in any order where their keys differ."""

    broker: KafkaBroker
    source: str
    now: Now

    async def publish(self, *events: Event) -> None:
        for start in range(0, len(events), PUBLISH_WINDOW):
            window = events[start : start + PUBLISH_WINDOW]
            await self.publish_sealed(*(seal(event, self.source, self.now()) for event in window))

    async def publish_sealed(self, *envelopes: Envelope) -> None:
        results = await asyncio.gather(*map(self._publish, envelopes), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise Unpublished(f"Kafka did not take an event: {type(result).__name__}: {result}") from result

    async def _publish(self, envelope: Envelope) -> None:
        await self.broker.publish(
            envelope.body,
            envelope.topic,
            key=envelope.key,
            partition=envelope.partition,
            headers=dict(envelope.headers),
        )


async def create_topics(settings: Settings, replication: int = 1) -> list[str]:
    """Create the topics that are not there yet; answers their names."""
    admin = AIOKafkaAdminClient(**client_arguments(settings))
    await admin.start()
    try:
        missing = [topic for topic in PARTITIONS if topic not in set(await admin.list_topics())]
        with contextlib.suppress(TopicAlreadyExistsError):  # another process was quicker: that is what we wanted
            await admin.create_topics([_new_topic(topic, replication) for topic in missing])
        return missing
    finally:
        await admin.close()


def _new_topic(topic: str, replication: int) -> NewTopic:
    configs = {"cleanup.policy": "delete", "retention.ms": str(7 * 24 * 3600 * 1000)}
    if topic in COMPACTED:
        configs = {"cleanup.policy": "compact", "segment.bytes": str(SEGMENT_BYTES_COMPACTED)}
    return NewTopic(topic, PARTITIONS[topic], replication, topic_configs=configs)


async def cluster_id(settings: Settings) -> str:
    """The name of the cluster: positions that are kept elsewhere hold for it alone."""
    admin = AIOKafkaAdminClient(**client_arguments(settings))
    await admin.start()
    try:
        described: dict[str, Any] = await admin.describe_cluster()
        return str(described["cluster_id"])
    finally:
        await admin.close()


async def partitions_of(consumer: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    found = consumer.partitions_for_topic(topic) or set()
    if not found:
        raise KafkaError(f"the topic {topic} is not there: run `make up`, or the migrate job of the deployment")
    return [TopicPartition(topic, number) for number in sorted(found)]
