"""Envelope: an event as a Kafka record and back (CloudEvents 1.0 in binary mode)."""

import contextlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from pydantic import BaseModel
from pydantic_core import to_json

from spreader.contract.events import EVENTS, Callback, Event, MessageRequest
from spreader.telemetry.traceparent import valid_traceparent
from spreader.text import lenient_json
from spreader.text.clean_text import find_unstorable

CONTENT_TYPE = "application/json"
FIRST_WRITTEN = "first_written"
_BY_TYPE: Mapping[str, type[Event]] = {event.type: event for event in EVENTS}


class UndecodableRecord(Exception):
    """A record that this version cannot decode. The text of the error says why."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A Kafka record before it is published. `body` is None for a tombstone."""

    topic: str
    key: bytes | None
    body: bytes | None
    headers: Mapping[str, str]
    partition: int | None = None


class WrittenRecord(Protocol):
    """A record as it was read. `timestamp` is in milliseconds, by the clock of its writer."""

    @property
    def timestamp(self) -> int: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


def source_of(service: str) -> str:
    """The header `ce_source` of all events that the service publishes."""
    return f"/spreader/{service}"


def encode(event: Event, source: str, now: datetime) -> Envelope:
    """The record of an event. `source` is the name of the service that publishes it."""
    headers = {
        "ce_specversion": "1.0",
        "ce_id": event.event_id,
        "ce_source": source_of(source),
        "ce_type": event.type,
        "ce_time": now.isoformat(),
        "content-type": CONTENT_TYPE,
    }
    if event.traceparent is not None:
        headers["traceparent"] = event.traceparent
    return Envelope(
        topic=event.topic,
        key=None if event.key is None else event.key.encode(),
        body=event.model_dump_json(exclude_none=not event.nulls_travel).encode(),
        headers=headers,
        partition=event.callback_partition if isinstance(event, Callback) else None,
    )


def read_headers(headers: Iterable[tuple[str, bytes]]) -> dict[str, str]:
    """Kafka's headers as text. Bytes that are not UTF-8 are escaped."""
    return {name: (value or b"").decode(errors="backslashreplace") for name, value in headers}


def first_written(record: WrittenRecord) -> datetime:
    """The wall time at which a record was first written to Kafka. A replay of a dead letter writes the record again,
    with its first time in a header."""
    written = datetime.fromtimestamp(record.timestamp / 1000, UTC)
    for name, value in record.headers:
        if name == FIRST_WRITTEN:
            with contextlib.suppress(ValueError, TypeError):  # somebody else's header, which is not a time
                return min(written, datetime.fromisoformat(value.decode()))
    return written


def decode(topic: str, headers: Mapping[str, str], body: bytes | None) -> Event:
    """The event in a record. Raises UndecodableRecord, or pydantic's ValidationError, which names the field.

    The headers `ce_type` and `ce_id` are required. In texts, U+FFFD replaces each character that cannot be stored,
    because otherwise every reader of the record would fail. A message request notes the field with such a character.
    """
    if not headers.get("ce_id"):
        raise UndecodableRecord("the header `ce_id` is missing; readers need it to drop repeats")
    name = headers.get("ce_type")
    kind = _BY_TYPE.get(name or "")
    if kind is None:
        raise UndecodableRecord(f"the header `ce_type` is {name!r}, which this version does not know")
    if kind.topic != topic:
        raise UndecodableRecord(f"an event of type {name} belongs to {kind.topic}, not to {topic}")
    if body is None:
        raise UndecodableRecord(f"the event of type {name} has no body")
    event = _event(kind, body)
    header = headers.get("traceparent")
    traceparent = None if header is None else valid_traceparent(header)
    return event if traceparent is None else event.model_copy(update={"traceparent": traceparent})


def _event(kind: type[Event], body: bytes) -> Event:
    try:
        unstorable = lenient_json.unstorable_text(body)
    except ValueError:
        unstorable = None  # it is not JSON, and pydantic says where
    if unstorable is None:
        return kind.model_validate_json(body)
    event = kind.model_validate_json(to_json(lenient_json.parse(body)))
    if isinstance(event, MessageRequest) and (found := find_unstorable(_known(json.loads(body), event))) is not None:
        event.note_unstorable(str(found))
    return event


def _known(raw: Any, read: Any) -> Any:
    """The JSON value `raw` without the members that the model `read` does not know. A text there has no effect."""
    if isinstance(read, BaseModel) and isinstance(raw, dict):
        fields = type(read).model_fields
        return {name: _known(member, getattr(read, name)) for name, member in raw.items() if name in fields}
    if isinstance(read, tuple) and isinstance(raw, list):
        return [_known(member, item) for member, item in zip(raw, read, strict=True)]
    return raw
