"""Pagination: the `limit` and `cursor` parameters of a list, and its page as a response."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

from fastapi import Depends, Query, Request, Response

from spreader.http.cursors import CursorOfAnotherList, InvalidCursor, PageRequest
from spreader.http.problems import INVALID, Problem
from spreader.text.clean_text import find_unstorable

NUMBER_MAX = 2**62
PROFILES_MAX = 1_000
"""A package has at most this many profiles."""


def _page_request(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=200, description="The most rows of the page.")] = 50,
    cursor: Annotated[str | None, Query(max_length=512, description="`next_cursor` of the previous page.")] = None,
) -> PageRequest:
    parameters = request.query_params.multi_items()
    try:
        return PageRequest.of(request.url.path, parameters, limit, cursor)
    except CursorOfAnotherList as error:
        raise invalid_cursor(str(error)) from None
    except InvalidCursor as error:
        last_id = _first_version(cursor or "")
        if last_id is None:
            raise invalid_cursor(str(error)) from None
        return replace(PageRequest.of(request.url.path, parameters, limit, None), after=last_id)


Page = Annotated[PageRequest, Depends(_page_request)]


def _large_page_request(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=PROFILES_MAX, description="The most rows of the page.")] = PROFILES_MAX,
    cursor: Annotated[str | None, Query(max_length=512, description="`next_cursor` of the previous page.")] = None,
) -> PageRequest:
    return _page_request(request, limit, cursor)


LargePage = Annotated[PageRequest, Depends(_large_page_request)]
"""For lists of profiles. By default, a page has all profiles of a package."""


def link_next(response: Response, page: PageRequest, ids: Sequence[str]) -> str | None:
    """The cursor of the next page. None: this is the last page. If there is a next page, its address is also set as the
    header `Link`."""
    cursor = page.next_cursor(ids)
    if cursor is not None:
        response.headers["Link"] = f'<{page.next_url(cursor)}>; rel="next"'
    return cursor


def page_body(page: PageRequest, ids: Sequence[str], data: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The page of rows that were read with `page.read_limit`."""
    return {"data": data[: page.limit], "next_cursor": page.next_cursor(ids)}


def number_below(page: PageRequest) -> int:
    """For a list with numeric ids in descending order: all ids of the page are below this number."""
    if page.after is None:
        return NUMBER_MAX
    if not page.after.isascii() or not page.after.isdigit():
        raise invalid_cursor("it is not a cursor of this list")
    return min(int(page.after), NUMBER_MAX)


def _first_version(cursor: str) -> str | None:
    """The last id in a cursor of the API's first version. Such a cursor was only this id in Base64. None: the cursor
    has another form."""
    try:
        last_id = base64.b64decode(cursor.encode(), b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError, ValueError):
        return None
    return None if find_unstorable(last_id) else last_id


def invalid_cursor(reason: str) -> Problem:
    return Problem(INVALID, f"`cursor`: {reason}. Begin without a cursor, then pass on `next_cursor` unchanged.")
