"""Page: a piece of a list, with the cursor of the next."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request

from ingress.core.cursors import WrongCursor, read_cursor, write_cursor
from ingress.http.problems import Problem
from ingress.http.responses import Answer
from spreader.contract.ids import CHOSEN_ID_PATTERN

PathId = Annotated[str, Path(pattern=CHOSEN_ID_PATTERN)]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a caller asks of a list."""

    path: str
    limit: int
    after: str

    def answer(self, ids: Sequence[str], data: Sequence[dict[str, Any]]) -> Answer:
        """The page of rows that were read with `self.read_limit`: one more than shown says whether there is a next."""
        more = len(data) > self.limit
        cursor = write_cursor(self.path, ids[self.limit - 1]) if more else None
        link = {"Link": f'<{self.path}?limit={self.limit}&cursor={cursor}>; rel="next"'} if more else {}
        return Answer(200, {"data": data[: self.limit], "next_cursor": cursor}, link)

    @property
    def read_limit(self) -> int:
        return self.limit + 1


def _asked(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=200, description="Rows on a page.")] = 50,
    cursor: Annotated[str | None, Query(max_length=512, description="`next_cursor` of the page before.")] = None,
) -> Asked:
    try:
        return Asked(request.url.path, limit, read_cursor(request.url.path, cursor))
    except WrongCursor as error:
        raise Problem("cursor", f"`cursor`: {error}.") from None


Page = Annotated[Asked, Depends(_asked)]
