"""Pagination: the `limit` and `cursor` parameters of a list, and its page as a response."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

from fastapi import Depends, Query, Request

from spreader.http.cursors import CursorOfAnotherList, InvalidCursor, PageRequest
from spreader.http.problems import INVALID, Problem
from spreader.text.clean_text import find_unstorable

NUMBER_MAX = 2**62


def _page_request(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=200, description="The most rows of the page.")] = 50,
    cursor: Annotated[str | None, Query(max_length=512, description="`next_cursor` of the previous page.")] = None,
) -> PageRequest:
    parameters = request.query_params.multi_items()
    try:
        return PageRequest.of(request.url.path, parameters, limit, cursor)
    except CursorOfAnotherList as error:
        raise _invalid_cursor(str(error)) from None
    except InvalidCursor as error:
        last_id = _first_version(cursor or "")
        if last_id is None:
            raise _invalid_cursor(str(error)) from None
        return replace(PageRequest.of(request.url.path, parameters, limit, None), after=last_id)


Page = Annotated[PageRequest, Depends(_page_request)]


def page_body(page: PageRequest, ids: Sequence[str], data: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The page of rows that were read with `page.read_limit`."""
    return {"data": data[: page.limit], "next_cursor": page.next_cursor(ids)}


def number_below(page: PageRequest) -> int:
    """For a list with numeric ids in descending order: all ids of the page are below this number."""
    if page.after is None:
        return NUMBER_MAX
    if not page.after.isascii() or not page.after.isdigit():
        raise _invalid_cursor("it is not a cursor of this list")
    return min(int(page.after), NUMBER_MAX)


def _first_version(cursor: str) -> str | None:
    """The id in a cursor of the first version, which was only the last id in Base64. None if it is none."""
    try:
        last_id = base64.b64decode(cursor.encode(), b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError, ValueError):
        return None
    return None if find_unstorable(last_id) else last_id


def _invalid_cursor(reason: str) -> Problem:
    return Problem(INVALID, f"`cursor`: {reason}. Begin without a cursor, then pass on `next_cursor` unchanged.")
