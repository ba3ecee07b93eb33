"""Pagination: the `limit` and `cursor` parameters of a list, and its page as a response."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request

from ingress.http.problems import CURSOR
from ingress.http.responses import ApiResponse
from spreader.contract.ids import CHOSEN_ID_PATTERN
from spreader.http.cursors import InvalidCursor, PageRequest, decode_cursor
from spreader.http.problems import Problem

PathId = Annotated[str, Path(pattern=CHOSEN_ID_PATTERN)]


def _page_request(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=200, description="Rows on a page.")] = 50,
    cursor: Annotated[str | None, Query(max_length=512, description="`next_cursor` of the page before.")] = None,
) -> PageRequest:
    path = request.url.path
    try:
        return PageRequest(path, limit, None if cursor is None else decode_cursor(path, cursor))
    except InvalidCursor as error:
        raise Problem(CURSOR, f"`cursor`: {error}.") from None


Page = Annotated[PageRequest, Depends(_page_request)]


def page_response(page: PageRequest, ids: Sequence[str], data: Sequence[dict[str, Any]]) -> ApiResponse:
    """The page of rows that were read with `page.read_limit`, with a `Link` to the next."""
    cursor = page.next_cursor(ids)
    link = {"Link": f'<{page.path}?limit={page.limit}&cursor={cursor}>; rel="next"'} if cursor else {}
    return ApiResponse(200, {"data": data[: page.limit], "next_cursor": cursor}, link)
