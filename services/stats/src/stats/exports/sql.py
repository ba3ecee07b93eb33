"""SQL: the pages of exports. Each page has at most `PAGE_ROWS` rows, and begins after the last row of the previous
page.

Rows are ordered by a key that never changes. So each row that existed when an export began is in the file exactly once,
even if new rows are added meanwhile.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.runtime.postgres import autocommit
from spreader.runtime.rows import columns
from stats.api.sql_history import OF_OPEN, Statement
from stats.core.alerts import StoredAlert
from stats.core.report_range import ReportRange
from stats.counting.sql import SENT_OPEN, SUMS

PAGE_ROWS = 1_000


async def read_page(engine: AsyncEngine, statement: Statement) -> Sequence[dict[str, Any]]:
    async with autocommit(engine) as connection:
        return [dict(row) for row in (await connection.execute(*statement)).mappings()]


def messages_page(span: ReportRange, package: str | None, after: str | None, limit: int) -> Statement:
    """The statement, with its parameters, that reads one page of messages, the newest id first. It reads the messages
    whose first count is in the span.

    The statement does not order by the time of the first count, because a late event can change this time.
    """
    filters = {"package_id = :package": package, "message_id < :after": after}
    return text(_MESSAGES.format(filters=_of(filters))), _parameters(span, package=package, after=after, limit=limit)


def alerts_page(
    span: ReportRange, package: str | None, profile: str | None, after: str | None, limit: int
) -> Statement:
    """The statement, with its parameters, that reads one page of the alerts that were raised in the span, the oldest
    first."""
    filters = {"package_id = :package": package, "profile_id = :profile": profile, "alert_id > :after": after}
    parameters = _parameters(span, package=package, profile=profile, after=after, limit=limit)
    return text(_ALERTS.format(filters=_of(filters))), parameters


def _of(filters: Mapping[str, str | None]) -> str:
    """The conditions whose values are given. The others are left out, because Postgres might otherwise choose a plan
    that does not use the index of the package."""
    return "".join(f" AND {condition}" for condition, value in filters.items() if value is not None)


def _parameters(span: ReportRange, **values: Any) -> dict[str, Any]:
    given = {name: value for name, value in values.items() if value is not None}
    return {"start": span.start, "end": span.end, **given}


_SPAN = "{at} >= CAST(:start AS timestamptz) AND {at} < CAST(:end AS timestamptz)"

_MESSAGES = f"""
SELECT message_id, max(package_id) AS package_id, min(first_at) AS first_at, max(last_at) AS last_at,
       {SUMS}, {SENT_OPEN}, {OF_OPEN}
FROM stats.message WHERE {_SPAN.format(at="first_at")}{{filters}}
GROUP BY message_id ORDER BY message_id DESC LIMIT CAST(:limit AS int)"""

_ALERTS = f"""
SELECT {columns(StoredAlert)} FROM stats.alert WHERE {_SPAN.format(at="raised_at")}{{filters}}
ORDER BY alert_id LIMIT CAST(:limit AS int)"""
