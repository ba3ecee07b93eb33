"""Cursors: read back by the list that returned them, and refused everywhere else."""

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spreader.http.cursors import CursorOfAnotherList, InvalidCursor, PageRequest, decode_cursor, encode_cursor


@given(st.text(alphabet="abc-_", min_size=1))
def test_only_its_own_list_reads_a_cursor(last_id: str) -> None:
    cursor = encode_cursor("/a", last_id)
    assert decode_cursor("/a", cursor) == last_id
    with pytest.raises(CursorOfAnotherList):
        decode_cursor("/b", cursor)


@given(st.text())
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor("/a", text)


def test_a_page_has_a_next_cursor_only_if_a_row_follows() -> None:
    page = PageRequest("/a", "", 2, None)
    assert page.read_limit == 3
    assert page.next_cursor(["x", "y"]) is None
    cursor = page.next_cursor(["x", "y", "z"])
    assert cursor is not None
    assert decode_cursor("/a", cursor) == "y"


def test_the_next_page_has_the_same_filters() -> None:
    first = PageRequest.of("/a", [("to", "b c"), ("limit", "1"), ("from", "x&y")], 1, None)
    cursor = first.next_cursor(["p", "q"])
    assert cursor is not None
    path, _, query = first.next_url(cursor).partition("?")
    assert (path, parse_qsl(query)) == ("/a", [("from", "x&y"), ("to", "b c"), ("limit", "1"), ("cursor", cursor)])
    assert PageRequest.of(path, parse_qsl(query), 1, cursor).after == "p"


@pytest.mark.parametrize("parameters", [[], [("lane", "open"), ("from", "b")], [("lane", "reply")]])
def test_another_filter_is_another_list(parameters: list[tuple[str, str]]) -> None:
    cursor = PageRequest.of("/a", [("lane", "open")], 1, None).next_cursor(["p", "q"])
    with pytest.raises(CursorOfAnotherList):
        PageRequest.of("/a", parameters, 1, cursor)
