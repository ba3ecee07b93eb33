"""Pagination: the `limit` and `cursor` parameters of a list, and its page as a response."""

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Depends, Query, Request

from spreader.http.cursors import CursorOfAnotherList, InvalidCursor, PageRequest, decode_cursor
from spreader.http.problems import INVALID, Problem

NUMBER_MAX = 2**62


def _page_request(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=200, description="The most rows of the page.")] = 50,
    cursor: Annotated[str | None, Query(max_length=512, description="`next_cursor` of the previous page.")] = None,
) -> PageRequest:
    path = request.url.path
    return PageRequest(path, limit, None if cursor is None else _decoded(path, cursor))


Page = Annotated[PageRequest, Depends(_page_request)]


def page_body(page: PageRequest, ids: Sequence[str], data: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The page of rows that were read with `page.read_limit`."""
    return {"data": data[: page.limit], "next_cursor": page.next_cursor(ids)}


def number_below(page: PageRequest) -> int:
    """For a list with numeric ids in descending order: all ids of the page are below this number."""
    if page.after is None:
        return NUMBER_MAX
    if not page.after.isascii() or not page.after.isdigit():
        raise _invalid_cursor("it is not a cursor of this list")
    return int(page.after)


def _decoded(path: str, cursor: str) -> str:
    """The id in a cursor. Cursors of the first version, which are only the last id in Base64, are still accepted."""
    try:
        return decode_cursor(path, cursor)
    except CursorOfAnotherList as error:
        raise _invalid_cursor(str(error)) from None
    except InvalidCursor as error:
        try:
            return base64.b64decode(cursor.encode(), b"-_", validate=True).decode()
        except (binascii.Error, UnicodeError, ValueError):
            raise _invalid_cursor(str(error)) from None


def _invalid_cursor(reason: str) -> Problem:
    return Problem(INVALID, f"`cursor`: {reason}. Begin without a cursor, then pass on `next_cursor` unchanged.")
