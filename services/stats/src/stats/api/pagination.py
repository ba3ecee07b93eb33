"""Cursor: where the next page of a list begins."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Query

from stats.api.problems import Problem

NUMBER_MAX = 2**62


@dataclass(frozen=True, slots=True)
class Asked:
    """What a caller asks of a list."""

    limit: int
    after: str | None
    """The id of the last row of the page before."""

    @property
    def read_limit(self) -> int:
        """One more than is shown: it says whether there is a next page."""
        return self.limit + 1

    @property
    def below(self) -> int:
        """Where ids are numbers: those below are next."""
        if self.after is None:
            return NUMBER_MAX
        if not self.after.isascii() or not self.after.isdigit():
            raise _wrong()
        return int(self.after)

    def answer(self, ids: Sequence[str], data: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """The page of the rows that were read with `read_limit`."""
        more = len(data) > self.limit
        return {"data": data[: self.limit], "next_cursor": _written(ids[self.limit - 1]) if more else None}


def _asked(
    limit: Annotated[int, Query(ge=1, le=200, description="Rows on a page.")] = 50,
    cursor: Annotated[str | None, Query(max_length=512, description="`next_cursor` of the page before.")] = None,
) -> Asked:
    if cursor is None:
        return Asked(limit, None)
    try:
        return Asked(limit, base64.b64decode(cursor.encode(), b"-_", validate=True).decode())
    except (binascii.Error, UnicodeError, ValueError):
        raise _wrong() from None


Page = Annotated[Asked, Depends(_asked)]


def _written(last: str) -> str:
    return base64.urlsafe_b64encode(last.encode()).decode()


def _wrong() -> Problem:
    return Problem("invalid", "`cursor` is none of ours: begin without it, and pass on `next_cursor` as it is.")
