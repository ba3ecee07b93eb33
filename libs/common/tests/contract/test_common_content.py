"""Content: required fields, one serialisation, and a hash that reveals no text."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from spreader.contract.content import CONTENT, TEXT_CHARACTERS_MAX, TextContent, content_hash, content_json

URL = {"url": "https://example.com/a"}
GOOD: list[dict[str, Any]] = [
    {"type": "text", "text": "Hello"},
    {"type": "text", "text": "x" * TEXT_CHARACTERS_MAX},
    {"type": "image", "media": URL},
    {"type": "image", "media": {"media_id": "med_1"}, "caption": "Ours"},
    {"type": "voice", "media": URL},
    {"type": "document", "media": {**URL, "filename": "prices.pdf"}},
    {"type": "video", "media": URL, "caption": "Ours"},
    {"type": "template", "template": {"name": "offer", "language": "en", "components": [{"type": "body"}]}},
]
BAD: list[tuple[str, dict[str, Any]]] = [
    ("union_tag", {"type": "sticker", "media": URL}),
    ("union_tag", {"text": "no type"}),
    ("text", {"type": "text"}),
    ("text", {"type": "text", "text": ""}),
    ("text", {"type": "text", "text": " \n\t "}),
    ("text", {"type": "text", "text": "x" * (TEXT_CHARACTERS_MAX + 1)}),
    ("media", {"type": "image"}),
    ("either `url` or `media_id`", {"type": "image", "media": {}}),
    ("either `url` or `media_id`", {"type": "image", "media": {**URL, "media_id": "med_1"}}),
    ("url", {"type": "image", "media": {"url": "ftp://example.com/a"}}),
    ("url", {"type": "image", "media": {"url": "https://"}}),
    ("url", {"type": "image", "media": {"url": "https://example.com/a b"}}),
    ("caption", {"type": "image", "media": URL, "caption": "x" * 1025}),
    ("extra_forbidden", {"type": "voice", "media": URL, "caption": "a voice has none"}),
    ("extra_forbidden", {"type": "text", "text": "Hello", "media": URL}),
    ("template", {"type": "template"}),
    ("language", {"type": "template", "template": {"name": "offer"}}),
]


@pytest.mark.parametrize("content", GOOD)
def test_a_content_is_serialised_unchanged(content: dict[str, Any]) -> None:
    read = CONTENT.validate_python(content)
    assert CONTENT.validate_json(content_json(read)) == read
    assert content.items() <= CONTENT.dump_python(read, mode="json", exclude_none=True).items()


@pytest.mark.parametrize(("complaint", "content"), BAD)
def test_an_invalid_content_is_refused_with_the_field(complaint: str, content: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=complaint):
        CONTENT.validate_python(content, extra="forbid")  # as the API does; readers of events ignore unknown fields


texts = st.text(alphabet="ab \n", min_size=1, max_size=4).filter(lambda text: text.strip() != "")


@given(texts, texts)
def test_two_texts_share_a_hash_only_if_they_are_equal(one: str, other: str) -> None:
    hashes = [content_hash(TextContent(type="text", text=text)) for text in (one, other)]
    assert (hashes[0] == hashes[1]) == (one == other)


def test_the_hash_is_short_and_stable_and_reveals_no_words() -> None:
    assert content_hash(TextContent(type="text", text="Hello")) == "4248904092a7c369"
