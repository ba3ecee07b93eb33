"""Protocol: two requests to Kafka that aiokafka lacks. One asks for the ids of topics, one changes single settings."""

import base64
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.admin import AlterConfigsResponse_v0
from aiokafka.protocol.api import Request, RequestStruct
from aiokafka.protocol.metadata import MetadataRequest_v5, MetadataResponse_v5
from aiokafka.protocol.types import (
    Array,
    Boolean,
    CompactArray,
    CompactString,
    Int8,
    Int16,
    Int32,
    Schema,
    String,
    TaggedFields,
)

TOPIC = 2
"""Kafka numbers the kinds of resources that have settings. This is the number of the kind *topic*."""
SET = 0
UUID_BYTES = 16


class Uuid(AbstractType[str]):
    """An id, as the text that Kafka's own tools show. An id of zeros means that there is none, and becomes ""."""

    @classmethod
    def encode(cls, value: str) -> bytes:
        return base64.urlsafe_b64decode(f"{value}==") if value else bytes(UUID_BYTES)

    @classmethod
    def decode(cls, data: BytesIO) -> str:
        raw = data.read(UUID_BYTES)
        return base64.urlsafe_b64encode(raw).decode().rstrip("=") if any(raw) else ""


class TopicsResponse_v10(MetadataResponse_v5):
    API_VERSION = 10
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString()),
                ("port", Int32),
                ("rack", CompactString()),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString()),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("topic", CompactString()),
                ("topic_id", Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("operations", Int32),
        ("tags", TaggedFields),
    )


class TopicsRequest_v10(RequestStruct):
    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 10
    RESPONSE_TYPE = TopicsResponse_v10
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", Uuid), ("topic", CompactString()), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_operations", Boolean),
        ("include_topic_operations", Boolean),
        ("tags", TaggedFields),
    )


class TopicsRequest(Request[MetadataRequest_v5 | TopicsRequest_v10]):
    """Asks for topics and the cluster's id. A broker that knows only the older version of this request returns no topic
    ids."""

    API_KEY = 3

    def __init__(self, topics: Sequence[str]) -> None:
        self._topics = topics

    def build(
        self, request_struct_class: type[MetadataRequest_v5 | TopicsRequest_v10]
    ) -> MetadataRequest_v5 | TopicsRequest_v10:
        if request_struct_class is MetadataRequest_v5:
            return MetadataRequest_v5(list(self._topics), False)
        return TopicsRequest_v10([("", topic, {}) for topic in self._topics], False, False, False, {})


class ChangeSettingsResponse_v0(AlterConfigsResponse_v0):
    API_KEY = 44
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "topic_errors",
            Array(
                ("error_code", Int16),
                ("error_message", String("utf-8")),
                ("resource_type", Int8),
                ("topic", String("utf-8")),
            ),
        ),
    )


class ChangeSettingsRequest_v0(RequestStruct):
    API_KEY = 44
    API_VERSION = 0
    RESPONSE_TYPE = ChangeSettingsResponse_v0
    SCHEMA = Schema(
        (
            "resources",
            Array(
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
                (
                    "settings",
                    Array(("name", String("utf-8")), ("operation", Int8), ("value", String("utf-8"))),
                ),
            ),
        ),
        ("validate_only", Boolean),
    )


class ChangeSettingsRequest(Request[ChangeSettingsRequest_v0]):
    """Sets these settings of topics, and leaves all other settings as they are. aiokafka's own request would reset the
    others."""

    API_KEY = 44

    def __init__(self, settings: Mapping[str, Mapping[str, str]]) -> None:
        self._settings = settings

    def build(self, request_struct_class: type[ChangeSettingsRequest_v0]) -> ChangeSettingsRequest_v0:
        resources: list[Any] = [
            (TOPIC, topic, [(name, SET, value) for name, value in settings.items()])
            for topic, settings in self._settings.items()
        ]
        return request_struct_class(resources, False)
