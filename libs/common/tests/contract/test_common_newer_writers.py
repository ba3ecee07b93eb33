"""Newer writers: a reader ignores the fields that it does not know, at every depth of every event."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from spreader.contract.content import CONTENT, Content
from spreader.contract.events import EVENTS, Event
from spreader.kafka.envelope import decode

GOLDEN = Path(__file__).parents[1] / "golden"
URL = {"url": "https://example.com/a"}
CONTENTS: list[dict[str, Any]] = [
    {"type": "text", "text": "Hello"},
    {"type": "image", "media": {**URL, "filename": "a.png"}, "caption": "Ours"},
    {"type": "voice", "media": {"media_id": "med_1"}},
    {"type": "document", "media": URL},
    {"type": "video", "media": URL},
    {"type": "template", "template": {"name": "offer", "language": "en", "components": [{"type": "body"}]}},
]

names = st.from_regex(r"later_[a-z]{1,8}", fullmatch=True)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
unknown_fields = st.dictionaries(names, values, min_size=1, max_size=2)


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that an annotation names, at any depth."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from models_in(part)


def reachable(kind: type[BaseModel], seen: set[type[BaseModel]]) -> set[type[BaseModel]]:
    if kind not in seen:
        seen.add(kind)
        for field in kind.model_fields.values():
            for model in models_in(field.annotation):
                reachable(model, seen)
    return seen


MODELS = sorted({model for kind in EVENTS for model in reachable(kind, set())}, key=lambda model: model.__name__)


def widened(value: Any, body: Any, data: st.DataObject) -> Any:
    """`body`, the JSON of `value`, with unknown fields in each object that a model reads."""
    if isinstance(value, BaseModel):
        known = {name: widened(getattr(value, name, None), part, data) for name, part in body.items()}
        return {**data.draw(unknown_fields), **known}
    if isinstance(value, tuple) and isinstance(body, list):
        return [widened(item, part, data) for item, part in zip(value, body, strict=True)]
    return body


def record(kind: type[Event], content: dict[str, Any]) -> dict[str, Any]:
    golden: dict[str, Any] = json.loads((GOLDEN / f"{kind.type}.json").read_text())
    if "content" in golden["body"]:
        golden["body"]["content"] = content
    return golden


def read(record: dict[str, Any], body: Any) -> Event:
    return decode(record["topic"], record["headers"], json.dumps(body).encode())


@given(st.sampled_from(EVENTS), st.sampled_from(CONTENTS), st.data())
def test_unknown_fields_at_every_depth_change_nothing(
    kind: type[Event], content: dict[str, Any], data: st.DataObject
) -> None:
    written = record(kind, content)
    known = read(written, written["body"])
    assert read(written, widened(known, written["body"], data)) == known


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_model_in_an_event_ignores_unknown_fields(model: type[BaseModel]) -> None:
    assert model.model_config.get("extra") == "ignore"


def test_the_walk_through_the_models_reaches_the_deepest() -> None:
    named = {model.__name__ for model in MODELS}
    assert {"Media", "Template", "OpenOptions", "AssignedDelivery", "Gap", "Gateway", "HealthReason"} <= named
    assert {kind.__name__ for kind in get_args(get_args(Content)[0])} <= named


@given(st.sampled_from(CONTENTS), st.data())
def test_a_stored_content_of_a_newer_version_is_read(content: dict[str, Any], data: st.DataObject) -> None:
    known = CONTENT.validate_python(content)
    assert CONTENT.validate_json(json.dumps(widened(known, content, data))) == known
