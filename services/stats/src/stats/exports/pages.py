"""Pages: the rows of an export, one page after the other. Between two pages the export holds no database connection."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from stats.api.sql_history import HistoryKey, Statement
from stats.core.report_range import ReportRange
from stats.exports.slices import first_slice, next_slice

Row = Mapping[str, Any]
Rows = Sequence[Row]
ReadPage = Callable[[Statement], Awaitable[Rows]]
HistoryPage = Callable[[ReportRange, HistoryKey | None], Statement]


async def pages_by_id(
    read: ReadPage, rows_max: int, statement_after: Callable[[str | None], Statement], id_column: str
) -> AsyncGenerator[Rows]:
    """The pages of rows that have an id. `statement_after` takes the last id of a page, and returns the statement that
    reads the next page. A page has at most `rows_max` rows."""
    after: str | None = None
    while True:
        rows = await read(statement_after(after))
        yield rows
        if len(rows) < rows_max:
            return
        after = rows[-1][id_column]


async def pages_by_time(
    read: ReadPage,
    rows_max: int,
    span: ReportRange,
    statement_of: HistoryPage,
) -> AsyncGenerator[Rows]:
    """The pages of a history. `statement_of` takes a time range and the key of the last row that was read. It returns
    the statement that reads the next rows of the range."""
    after: HistoryKey | None = None
    piece = first_slice(span)
    while piece is not None:
        rows = await read(statement_of(piece.range, after))
        yield rows
        last: datetime | None = None
        if rows:
            after = rows[-1]["at"], rows[-1].get("profile_id", "")
        if len(rows) == rows_max:
            last = rows[-1]["at"]
        piece = next_slice(span, piece, last)
