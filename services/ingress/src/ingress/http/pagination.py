"""Pagination: the `limit` and `cursor` parameters of a list, and one page of the list as a response."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request

from ingress.http.problems import CURSOR
from ingress.http.responses import ApiResponse
from spreader.contract.ids import CHOSEN_ID_PATTERN
from spreader.http.cursors import InvalidCursor, PageRequest
from spreader.http.problems import Problem

PathId = Annotated[str, Path(pattern=CHOSEN_ID_PATTERN)]


def _page_request(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=200, description="Rows on a page.")] = 50,
    cursor: Annotated[str | None, Query(max_length=512, description="`next_cursor` of the page before.")] = None,
) -> PageRequest:
    try:
        return PageRequest.of(request.url.path, request.query_params.multi_items(), limit, cursor)
    except InvalidCursor as error:
        raise Problem(CURSOR, f"`cursor`: {error}.") from None


PageParameters = Annotated[PageRequest, Depends(_page_request)]


def page_response(
    page_request: PageRequest, ids: Sequence[str], rows: Sequence[Mapping[str, Any]], **more: Any
) -> ApiResponse:
    """The page as a response, with a `Link` to the next page if there is one. `more`: further fields of the body.

    If there is a next page, `rows` contains one row more than a page shows (see `page_request.read_limit`). For each
    row, `ids` has the text that a cursor contains if the next page begins after this row.
    """
    cursor = page_request.next_cursor(ids)
    link = {"Link": f'<{page_request.next_url(cursor)}>; rel="next"'} if cursor else {}
    return ApiResponse(200, {"data": rows[: page_request.limit], "next_cursor": cursor, **more}, link)
