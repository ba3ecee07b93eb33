"""Golden events: the wire format that other programs rely on. A change needs a new version of the event's type."""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from spreader.contract.events import EVENTS, PARTITIONS, Event
from spreader.kafka.envelope import decode, encode

GOLDEN = Path(__file__).parents[1] / "golden"

Golden = Mapping[str, Any]

every_event = pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.type)


def golden(kind: type[Event]) -> Golden:
    path = GOLDEN / f"{kind.type}.json"
    assert path.exists(), f"write {path.name}: one record of {kind.__name__} with every field, as it is on the wire"
    return json.loads(path.read_text())


def open_harness(record: Golden) -> Event:
    return decode(record["topic"], record["headers"], json.dumps(record["body"]).encode())


def sealed(event: Event, record: Golden) -> Golden:
    source = record["headers"]["ce_source"].removeprefix("/spreader/")
    envelope = encode(event, source, datetime.fromisoformat(record["headers"]["ce_time"]))
    assert envelope.body is not None
    return {
        "topic": envelope.topic,
        "key": None if envelope.key is None else envelope.key.decode(),
        "partition": envelope.partition,
        "headers": dict(envelope.headers),
        "body": json.loads(envelope.body),
    }


@every_event
def test_a_golden_record_that_is_read_is_written_as_the_same_record(kind: type[Event]) -> None:
    record = golden(kind)
    event = open_harness(record)
    assert type(event) is kind
    assert sealed(event, record) == record


@every_event
def test_a_golden_record_shows_every_field_of_its_event(kind: type[Event]) -> None:
    assert set(golden(kind)["body"]) == set(kind.model_fields) - {"traceparent"}


@every_event
def test_a_written_record_is_read_without_loss(kind: type[Event]) -> None:
    event = open_harness(golden(kind))
    again = sealed(event, golden(kind))
    assert open_harness(again) == event


@every_event
def test_a_reader_ignores_fields_that_a_newer_writer_added(kind: type[Event]) -> None:
    record = golden(kind)
    newer = {**record, "body": {**record["body"], "invented_later": {"by": "a newer writer"}}}
    assert open_harness(newer) == open_harness(record)


@every_event
def test_a_reader_refuses_a_record_without_a_required_field(kind: type[Event]) -> None:
    required = {name for name, field in kind.model_fields.items() if field.is_required()}
    assert required
    for name in required:
        record = golden(kind)
        poorer = {**record, "body": {key: value for key, value in record["body"].items() if key != name}}
        with pytest.raises(ValidationError, match=name):
            open_harness(poorer)


@pytest.mark.parametrize("kind", [kind for kind in EVENTS if not kind.nulls_travel], ids=lambda kind: kind.type)
def test_an_event_without_its_optional_fields_leaves_them_out_of_the_record(kind: type[Event]) -> None:
    event = open_harness(golden(kind))
    absent = {name: None for name, field in kind.model_fields.items() if not field.is_required() and not field.default}
    thinner = event.model_copy(update={name: None for name in absent if getattr(event, name) is not None})
    assert None not in sealed(thinner, golden(kind))["body"].values()


def test_every_golden_file_belongs_to_an_event() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == {kind.type for kind in EVENTS}


def test_every_type_is_named_once_with_its_version() -> None:
    types = [kind.type for kind in EVENTS]
    assert len(set(types)) == len(types)
    assert all(name.startswith("spreader.") and name.rpartition(".")[2].startswith("v") for name in types)


def test_every_subclass_of_event_that_has_a_type_is_among_the_events() -> None:
    def below(kind: type[Event]) -> set[type[Event]]:
        return {kind, *(deeper for child in kind.__subclasses__() for deeper in below(child))}

    ours = {kind for kind in below(Event) if kind.__module__ == Event.__module__ and "type" in vars(kind)}
    assert ours == set(EVENTS)


def test_every_event_has_a_topic_that_is_created() -> None:
    assert {kind.topic for kind in EVENTS} <= set(PARTITIONS)
