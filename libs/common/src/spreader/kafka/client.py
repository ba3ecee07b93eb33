"""Kafka client: connections to Kafka, the bus that publishes through them, and the partitions of topics."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker

from spreader.clock import Now
from spreader.contract.events import PARTITIONS, Event
from spreader.kafka.access.connection import broker_security, connection_arguments
from spreader.kafka.broker import Broker, survive_broken_connections
from spreader.kafka.bus import (
    PublishFailed,
    RecordsRefused,
    RefusedRecord,
    is_refusal,
    refused_and_later,
    report_refused,
)
from spreader.kafka.envelope import Envelope, encode
from spreader.kafka.lifetimes import closed
from spreader.kafka.partitions import partition_of
from spreader.settings import Settings

log = structlog.get_logger()

PRODUCE_BATCH_BYTES = 262_144
RECORD_BYTES_MAX = 2 * 1024 * 1024  # for dead letters: the record of another topic (up to 1 MiB), and more headers
PACKAGE_BYTES_MAX = 32 * 1024 * 1024  # a package of 1,000 profiles with the longest fields takes 17 MB
BROKER_ERRORS: tuple[type[Exception], ...] = (KafkaError, OSError)
"""What a client raises when the brokers are unavailable or refuse a request."""
REQUEST_TIMEOUT_MS = 10_000
METADATA_MS = 30_000  # after this time at the latest a client sees new topics and partitions
DRAIN_SECONDS = 20.0
PUBLISH_WINDOW = 2_000
PUBLISH_SECONDS = 30.0
TRIAL_CLUSTER = "trial-"  # the id of an in-memory cluster begins with this (see Settings.kafka_alone)


def client_arguments(settings: Settings) -> dict[str, Any]:
    """Connection arguments for an aiokafka client that is used without FastStream."""
    survive_broken_connections()
    return {**connection_arguments(settings), "request_timeout_ms": REQUEST_TIMEOUT_MS}


def create_broker(
    settings: Settings,
    service: str,
    request_timeout_ms: int = REQUEST_TIMEOUT_MS,
    record_bytes_max: int = RECORD_BYTES_MAX,
) -> KafkaBroker:
    """A broker that is not started. Its producer is not idempotent, because aiokafka's idempotent producer may fail
    permanently (decision 0002)."""
    survive_broken_connections()
    return Broker(
        settings.kafka_bootstrap_servers,
        client_id=settings.instance or service,
        security=broker_security(settings),
        acks="all",
        enable_idempotence=False,
        linger_ms=0,
        max_batch_size=PRODUCE_BATCH_BYTES,
        max_request_size=record_bytes_max,
        request_timeout_ms=request_timeout_ms,
        metadata_max_age_ms=METADATA_MS,
        graceful_timeout=DRAIN_SECONDS,
        allow_auto_create_topics=False,
        ack_policy=AckPolicy.NACK_ON_ERROR,
        logger=logging.getLogger("faststream"),
        log_level=logging.DEBUG,
        apply_types=False,
    )


@dataclass(frozen=True, slots=True)
class KafkaBus:
    """Publishes through a started broker. Events of one call with different keys may be written in any order."""

    broker: KafkaBroker
    source: str
    now: Now

    async def publish(self, *events: Event) -> None:
        refused: list[RefusedRecord] = []
        for start in range(0, len(events), PUBLISH_WINDOW):
            window = events[start : start + PUBLISH_WINDOW]
            try:
                await self.publish_envelopes(*(encode(event, self.source, self.now()) for event in window))
            except RecordsRefused as error:
                refused += (replace(record, index=start + record.index) for record in error.refused)
        if refused:
            raise RecordsRefused(refused)

    async def publish_envelopes(self, *envelopes: Envelope) -> None:
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):  # aiokafka limits only each single step
                if len(envelopes) == 1:  # the usual case, which needs no task
                    errors: Sequence[Exception | None] = [await self._publish(envelopes[0])]
                else:
                    errors = await asyncio.gather(*map(self._publish, envelopes))
                refused = await self._publish_apart(envelopes, errors)
        except TimeoutError as error:
            raise PublishFailed.because(error) from error
        if refused:
            report_refused(refused)
            raise RecordsRefused(refused)

    async def _publish(self, envelope: Envelope) -> Exception | None:
        """Returns the error, if there is one."""
        partition = envelope.partition
        try:
            await self.broker.publish(
                envelope.body,
                envelope.topic,
                key=envelope.key,
                partition=partition_of(envelope.topic, envelope.key) if partition is None else partition,
                headers=dict(envelope.headers),
            )
        except Exception as error:
            return error
        return None

    async def _publish_apart(
        self, envelopes: Sequence[Envelope], errors: Sequence[Exception | None]
    ) -> Sequence[RefusedRecord]:
        """Publish each refused record once more, by itself, because Kafka refuses a whole batch for one bad record.
        Returns the records that Kafka refuses again. Raises PublishFailed for any other error."""
        for envelope, error in zip(envelopes, errors, strict=True):
            if error is not None and not is_refusal(error, envelope):
                raise PublishFailed.because(error) from error
        refused: list[RefusedRecord] = []
        for index in refused_and_later(envelopes, errors):
            envelope = envelopes[index]
            error = await self._publish(envelope)
            if error is None:
                continue
            if not is_refusal(error, envelope):
                raise PublishFailed.because(error) from error
            refused.append(RefusedRecord(index, envelope, f"{type(error).__name__}: {error}"))
        return refused


async def partitions_of(settings: Settings, *topics: str) -> list[TopicPartition]:
    """All partitions of the topics. Raises KafkaError if a topic does not exist or has too few partitions."""
    admin = AIOKafkaAdminClient(**client_arguments(settings))
    try:
        await admin.start()
        described: list[dict[str, Any]] = await admin.describe_topics(list(topics))
    finally:
        await closed(admin.close())
    for topic in described:
        if topic["error_code"] == TopicAuthorizationFailedError.errno:
            raise KafkaError(
                f"this user may not read or write the topic {topic['topic']}: add the ACLs of all services with "
                "`python -m spreader acls` (docs/connections.md)"
            )
        if topic["error_code"]:
            raise KafkaError(
                f"the topic {topic['topic']} does not exist: start the system with `make up`, "
                "or create the topics with `python -m spreader topics`"
            )
        _check_partitions(topic["topic"], len(topic["partitions"]))
    return sorted(
        TopicPartition(topic["topic"], partition["partition"])
        for topic in described
        for partition in topic["partitions"]
    )


def _check_partitions(topic: str, count: int) -> None:
    wanted = PARTITIONS.get(topic, count)
    if count < wanted:
        raise KafkaError(
            f"the topic {topic} has {count} partitions, but Spreader writes to {wanted}: stop all services and add the "
            f"missing ones (`kafka-topics.sh --alter --topic {topic} --partitions {wanted}`; docs/upgrades.md)"
        )
    if count > wanted:
        log.warning(
            "a topic has more partitions than Spreader writes to; the others stay empty (docs/upgrades.md)",
            topic=topic,
            partitions=count,
            used=wanted,
        )
