"""Topics: creates Kafka's topics, with settings that make Kafka remove old records in time.

Kafka removes a record only with its whole segment, and compacts only closed segments. With Kafka's default of a week
for a segment, a topic with few records would keep them for two weeks.
"""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import NoError, TopicAlreadyExistsError, for_code
from aiokafka.protocol.api import Response

from spreader.contract.events import COMPACTED, DEAD_LETTER_TOPIC, PARTITIONS, PackageConfigured
from spreader.kafka.client import PACKAGE_BYTES_MAX, RECORD_BYTES_MAX, client_arguments
from spreader.kafka.lifetimes import closed
from spreader.kafka.protocol import ChangeSettingsRequest
from spreader.settings import Settings

log = structlog.get_logger()

RETENTION = timedelta(days=7)
SEGMENT = timedelta(hours=12)
"""A record is removed at most this long after `RETENTION`, plus the minutes until Kafka looks for old records."""
COMPACTION = timedelta(days=1)
"""After this time Kafka compacts a record of a compacted topic, even if the topic has hardly changed."""
SEGMENT_BYTES_COMPACTED = 16 * 1024 * 1024
TOPICS_SHOWN_SECONDS = 0.05
SET_ON_TOPIC = 1
"""Kafka's number for the source of a setting that was set on the topic itself, and is not a default."""

LIMITS: Mapping[str, Mapping[str, int]] = {
    DEAD_LETTER_TOPIC: {"max.message.bytes": RECORD_BYTES_MAX},
    PackageConfigured.topic: {"max.message.bytes": PACKAGE_BYTES_MAX, "segment.bytes": 2 * PACKAGE_BYTES_MAX},
}
"""What these topics need for their largest records. If an operator has set a higher limit, it stays."""

TopicSettings = Mapping[str, str]


async def create_topics(settings: Settings, replication: int = 1) -> list[str]:
    """Create the missing topics, and return their names. Existing topics get the time settings that they lack, and the
    limits that their largest records need."""
    admin = AIOKafkaAdminClient(**client_arguments(settings))
    try:
        await admin.start()
        existing = set(await admin.list_topics())
        missing = [topic for topic in PARTITIONS if topic not in existing]
        if missing:
            _raise_refusals(await admin.create_topics([_new_topic(topic, replication) for topic in missing]))
        while not PARTITIONS.keys() <= set(await admin.list_topics()):  # noqa: ASYNC110 - until readers can see them
            await asyncio.sleep(TOPICS_SHOWN_SECONDS)
        lacking = await _lacking_settings(admin, [topic for topic in PARTITIONS if topic in existing])
    finally:
        await closed(admin.close())
    if lacking:
        await _complete(settings, lacking)
    return missing


def topic_settings(topic: str) -> TopicSettings:
    """The settings that a new topic gets."""
    configs = {"cleanup.policy": "delete", "retention.ms": _ms(RETENTION)}
    if topic in COMPACTED:
        configs = {"cleanup.policy": "compact", "segment.bytes": str(SEGMENT_BYTES_COMPACTED)}
    configs |= {name: str(limit) for name, limit in LIMITS.get(topic, {}).items()}
    return {**configs, **_times(topic)}


def _new_topic(topic: str, replication: int) -> NewTopic:
    return NewTopic(topic, PARTITIONS[topic], replication, topic_configs=dict(topic_settings(topic)))


def _times(topic: str) -> TopicSettings:
    """The settings that older versions of Spreader did not give to their topics."""
    compacted = {"max.compaction.lag.ms": _ms(COMPACTION)} if topic in COMPACTED else {}
    return {"segment.ms": _ms(SEGMENT), **compacted}


async def _lacking_settings(admin: AIOKafkaAdminClient, topics: list[str]) -> Mapping[str, TopicSettings]:
    """The settings to change in each topic: time settings that it lacks, and limits that are too low. Whatever else an
    operator has set stays."""
    if not topics:
        return {}
    answers: list[Any] = await admin.describe_configs(
        [ConfigResource(ConfigResourceType.TOPIC, name) for name in topics]
    )
    resources = [resource for answer in answers for resource in answer.to_object()["resources"]]
    lacking = {resource["resource_name"]: _lacking(resource) for resource in resources}
    return {topic: wanted for topic, wanted in lacking.items() if wanted}


def _lacking(resource: Mapping[str, Any]) -> TopicSettings:
    topic, entries = resource["resource_name"], resource["config_entries"]
    chosen = {entry["config_names"] for entry in entries if entry["config_source"] == SET_ON_TOPIC}
    values = {entry["config_names"]: entry["config_value"] for entry in entries}
    limits = {name: str(limit) for name, limit in LIMITS.get(topic, {}).items() if int(values[name]) < limit}
    return {name: value for name, value in _times(topic).items() if name not in chosen} | limits


async def _complete(settings: Settings, lacking: Mapping[str, TopicSettings]) -> None:
    """Set these settings. A refusal is only logged, because the system works without them. But then Kafka keeps records
    for longer, or refuses the largest."""
    client = AIOKafkaClient(**client_arguments(settings))
    try:
        await client.bootstrap()
        answer = await client.send(client.get_random_node(), ChangeSettingsRequest(lacking))
    finally:
        await closed(client.close())
    for topic in answer.to_object()["topic_errors"]:
        name, error = topic["topic"], for_code(topic["error_code"])
        if error is NoError:
            log.info("an existing topic got settings that it lacked", topic=name, **lacking[name])
        else:
            log.warning(
                "Kafka refused settings that a topic lacks; set them yourself (see docs/operations.md)",
                topic=name,
                error=error.__name__,
                **lacking[name],
            )


def _raise_refusals(response: Response) -> None:
    """Raise an error for each refusal, because aiokafka only returns error codes. A topic that another process has just
    created does not count as a refusal."""
    for topic in response.to_object()["topic_errors"]:
        error = for_code(topic["error_code"])
        if error not in (NoError, TopicAlreadyExistsError):
            raise error(f"Kafka refused to create the topic {topic['topic']}: {topic.get('error_message') or ''}")


def _ms(duration: timedelta) -> str:
    return str(round(duration.total_seconds() * 1000))
