"""AsyncAPI document: the events in Kafka, for programs that exchange events with Spreader."""

from collections.abc import Mapping
from typing import Any

from pydantic.json_schema import models_json_schema

from docs.flow import FLOWS, key_of
from spreader.contract.events import COMPACTED, DEAD_LETTER_TOPIC, EVENTS, PARTITIONS, Callback, Event
from spreader.kafka.envelope import CONTENT_TYPE

_TEXT = {"type": "string"}
HEADERS: Mapping[str, Mapping[str, Any]] = {
    "ce_specversion": {"type": "string", "const": "1.0"},
    "ce_id": {"type": "string", "description": "The same fact has the same id; readers drop repeats by it."},
    "ce_source": {"type": "string", "description": "The service that published it.", "examples": ["/spreader/router"]},
    "ce_type": _TEXT,
    "ce_time": {"type": "string", "format": "date-time"},
    "content-type": {"type": "string", "const": CONTENT_TYPE},
    "traceparent": {"type": "string", "description": "W3C trace context, if there is one."},
}
OPTIONAL_HEADERS = frozenset({"traceparent"})
DESCRIPTION = (
    "JSON bodies with CloudEvents 1.0 headers (binary mode). Delivered at least once; a reader drops repeats by "
    "`ce_id` and ignores fields that it does not know. A change that older readers cannot take is a new type."
)


def document() -> dict[str, Any]:
    _, schemas = models_json_schema(
        [(kind, "serialization") for kind in EVENTS], ref_template="#/components/schemas/{model}"
    )
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Spreader events", "version": "1.0.0", "description": DESCRIPTION},
        "defaultContentType": CONTENT_TYPE,
        "channels": {_name(topic): _channel(topic) for topic in PARTITIONS},
        "operations": _operations(),
        "components": {
            "messages": {**{kind.__name__: _message(kind) for kind in EVENTS}, "DeadLetter": _DEAD_LETTER},
            "schemas": _plain(schemas["$defs"]),
        },
    }


def _channel(topic: str) -> dict[str, Any]:
    kinds = [kind.__name__ for kind in EVENTS if kind.topic == topic] or ["DeadLetter"]
    policy = "compact" if topic in COMPACTED else "delete"
    kafka = {"topic": topic, "partitions": PARTITIONS[topic], "topicConfiguration": {"cleanup.policy": [policy]}}
    return {
        "address": topic,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in kinds},
        "bindings": {"kafka": kafka},
    }


def _message(kind: type[Event]) -> dict[str, Any]:
    message: dict[str, Any] = {
        "name": kind.type,
        "title": kind.__name__,
        "summary": (kind.__doc__ or "").split("\n", 1)[0],
        "contentType": CONTENT_TYPE,
        "headers": {
            "type": "object",
            "properties": {**HEADERS, "ce_type": {"type": "string", "const": kind.type}},
            "required": [name for name in HEADERS if name not in OPTIONAL_HEADERS],
        },
        "payload": {"$ref": f"#/components/schemas/{kind.__name__}"},
    }
    if not issubclass(kind, Callback):
        message["bindings"] = {"kafka": {"key": {"type": "string", "description": key_of(kind)}}}
    return message


def _operations() -> dict[str, Any]:
    """One for each service and event: `send` where it publishes the event, `receive` where it reads it."""
    return {
        f"{service}-{action}s-{kind.__name__}": {
            "action": action,
            "channel": {"$ref": f"#/channels/{_name(kind.topic)}"},
            "messages": [{"$ref": f"#/channels/{_name(kind.topic)}/messages/{kind.__name__}"}],
        }
        for kind, flow in FLOWS.items()
        for action, services in (("send", flow.publishers), ("receive", flow.readers))
        for service in services
    }


def _name(topic: str) -> str:
    """A channel's name has no dots."""
    return topic.removeprefix("spreader.").replace(".", "-")


def _plain(schema: Any) -> Any:
    """Without `discriminator`, whose form differs in AsyncAPI; the constants of the variants say the same."""
    if isinstance(schema, dict):
        return {name: _plain(value) for name, value in schema.items() if name != "discriminator"}
    return [_plain(part) for part in schema] if isinstance(schema, list) else schema


_DEAD_LETTER: Mapping[str, Any] = {
    "name": DEAD_LETTER_TOPIC,
    "title": "DeadLetter",
    "summary": "A record that no handler could process: bytes, key and headers as received, and the reason. "
    "A record with the header `dead_letter_replayed` is a mark: it names the places of replayed records.",
    "headers": {
        "type": "object",
        "properties": {f"dead_letter_{name}": _TEXT for name in ("reason", "group", "topic", "partition", "offset")},
        "required": [f"dead_letter_{name}" for name in ("reason", "group", "topic", "partition", "offset")],
    },
}
