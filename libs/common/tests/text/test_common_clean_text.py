"""Clean text: every text can be stored and sent afterwards, and JSON with broken texts is read or its field named."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spreader.text import lenient_json
from spreader.text.clean_text import clean, clean_id, find_unstorable, replace_unstorable

ANY_TEXT = st.text(st.characters(), max_size=300) | st.text("\0\n\t\x07\x85\ud83d\ude00a", max_size=300)
JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    ANY_TEXT | st.none() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(ANY_TEXT, inner), max_leaves=8
)


@given(ANY_TEXT)
def test_a_clean_text_can_be_stored_and_sent(text: str) -> None:
    for cleaned in (clean(text), clean_id(text)):
        assert "\0" not in cleaned
        cleaned.encode()
    assert clean(clean(text)) == clean(text)
    assert len(clean_id(text)) <= 256


@pytest.mark.parametrize(
    ("text", "cleaned", "as_id"),
    [
        ("two\nlines\tof text\r\n", "two\nlines\tof text\r\n", "two�lines�of text��"),
        ("a\0b", "a�b", "a�b"),
        ("STOP \ud83d", "STOP �", "STOP �"),
        ("\x1b[31m\x85", "�[31m�", "�[31m�"),
        ("😀 كفى", "😀 كفى", "😀 كفى"),
    ],
)
def test_control_characters_and_half_characters_are_replaced(text: str, cleaned: str, as_id: str) -> None:
    assert (clean(text), clean_id(text)) == (cleaned, as_id)


@given(JSON_VALUES)
def test_a_json_value_is_read_with_broken_texts_replaced(value: Any) -> None:
    assert lenient_json.parse(json.dumps(value).encode()) == replace_unstorable(json.loads(json.dumps(value)))
    assert find_unstorable(replace_unstorable(value)) is None


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (rb'{"text": "a\u0000b"}', "/text: the character U+0000 cannot be stored or sent"),
        (rb'{"a": [{"b/c": "\ud83d!"}]}', "/a/0/b~1c: half a character (the lone surrogate U+D83D)"),
        (rb'{"\ud83d": 1}', "/�: half a character"),
        (rb'{"text": "\ud83d\ude00", "path": "C:\\u0000"}', None),
    ],
)
def test_the_field_with_a_broken_text_is_named(body: bytes, found: str | None) -> None:
    text = lenient_json.unstorable_text(body)
    assert str(text).startswith(found or "None")


NO_JSON = [b"", b"{", b"\xff", b"NaN", rb'["\ud83d', b"[" * 100_000, b'["\xff",' + b"[" * 2_000]


@pytest.mark.parametrize("body", NO_JSON, ids=lambda body: f"{len(body)} bytes")
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        lenient_json.parse(body)


@pytest.mark.parametrize("body", [b'{"a": "\xed\xa0\xbd"}', b'{"a": "\xff"}', b'{"a": "x\ny"}'])
def test_bytes_that_json_forbids_in_a_text_are_read(body: bytes) -> None:
    assert set(lenient_json.parse(body)) == {"a"}
