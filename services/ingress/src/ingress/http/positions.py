"""Position: where a page ends in a list that is ordered by time, as the text inside a cursor."""

from datetime import UTC, datetime
from typing import Any

from ingress.http.problems import CURSOR
from spreader.http.problems import Problem


def position(at: datetime, row_id: str) -> str:
    return f"{at.isoformat()} {row_id}"


def before(after: str | None) -> dict[str, Any]:
    """The parameters that choose the rows after a position. Empty for the first page. Raises the problem `cursor` if
    the text is not a position."""
    if not after:
        return {}
    try:
        at, row_id = after.split(" ")
        return {"before_at": datetime.fromisoformat(at).astimezone(UTC), "before_id": row_id}
    except (ValueError, OverflowError):
        raise Problem(CURSOR, "`cursor` was not returned by this list. Use the `next_cursor` of a page.") from None
