"""Statements about the history and the reports: counts by minute, hour and day, and the sums of a span."""

from collections.abc import AsyncGenerator, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncEngine

from stats.core.report_range import ReportRange
from stats.counting.sql import SENT_OPEN, SUMS

ReportKind = Literal["profiles", "packages", "messages"]
Statement = tuple[TextClause, Mapping[str, Any]]
HistoryKey = tuple[datetime, str]
"""The step and the profile of a row of the history."""
ROWS_AT_ONCE = 1_000

COUNTED = (
    "sent",
    "sent_open",
    "acknowledged",
    "delivered",
    "read",
    "failed",
    "received",
    "answered",
    "new_contacts",
    "unanswered",
)

# A step that has only refusals has no row of counts, so its counts are 0.
_COUNTED = ", ".join(f"coalesce({name}, 0) AS {name}" for name in COUNTED)
OF_OPEN = "coalesce(sum(delivered) FILTER (WHERE lane = 'open'), 0) AS delivered_open"
_PACKAGE = "(CAST(:package AS text) IS NULL OR package_id = :package)"
_SPAN = "at >= CAST(:start AS timestamptz) AND at < CAST(:end AS timestamptz)"


async def stream_rows(
    engine: AsyncEngine, statement: TextClause, parameters: Mapping[str, Any]
) -> AsyncGenerator[dict[str, Any]]:
    """The rows of a statement, read from the database in pieces of `ROWS_AT_ONCE`."""
    async with engine.connect() as connection:
        result = await connection.stream(statement, parameters, execution_options={"yield_per": ROWS_AT_ONCE})
        async for row in result.mappings():
            yield dict(row)


def history(
    span: ReportRange,
    package: str | None,
    profile: str | None,
    lane: str | None,
    *,
    each_profile: bool,
    limit: int,
    after: HistoryKey | None = None,
) -> Statement:
    """The statement of the history, with its parameters. `after`: the key of the last row of the previous page.

    The statement reads the tables of profiles if one profile or a row for each profile is requested. Otherwise it reads
    the smaller tables of packages.
    """
    of_profiles = each_profile or profile is not None
    table = f"{'' if of_profiles else 'package_'}{'minute' if span.step == 'minute' else 'hour'}"
    at = "date_trunc('day', at, CAST(:zone AS text))" if span.step == "day" else "at"
    parameters = dict[str, Any](start=span.start, end=span.end, limit=limit)
    if span.step == "day":
        parameters["zone"] = span.zone
    filters = {"package_id": package, "lane": lane, "profile_id": profile}
    parameters |= {name: value for name, value in filters.items() if value is not None}
    where = " AND ".join([_SPAN, *(f"{name} = :{name}" for name in filters if name in parameters)])
    who = ", profile_id" if each_profile else ""
    later = ""
    if after is not None:
        parameters["after_at"] = after[0]
        later = "WHERE moment > CAST(:after_at AS timestamptz)"
        if each_profile:
            parameters["after_profile"] = after[1]
            later = "WHERE (moment, profile_id) > (CAST(:after_at AS timestamptz), :after_profile)"
    statement = f"""
WITH counted AS (
    SELECT {at} AS moment{who}, {SUMS}, {SENT_OPEN} FROM stats.{table} WHERE {where} GROUP BY {at}{who}),
by_class AS (
    SELECT {at} AS moment{who}, failure, sum(count) AS number FROM stats.{table}_failure WHERE {where}
    GROUP BY {at}{who}, failure),
failed AS (SELECT moment{who}, jsonb_object_agg(failure, number) AS failures FROM by_class GROUP BY moment{who})
SELECT moment AS at{who}, {_COUNTED}, coalesce(failures, '{{}}') AS failures
FROM counted FULL JOIN failed USING (moment{who}) {later} ORDER BY moment{who} LIMIT CAST(:limit AS int)"""
    return text(statement), parameters


def report(of: ReportKind, span: ReportRange, package: str | None, after: str | None, limit: int) -> Statement:
    """The statement that sums up each profile, package or message, with its parameters.

    `after`: the last id of the previous page. For messages, `after` is the `place` of that page's last row instead.
    Raises ValueError if the `place` is not valid.
    """
    if of == "messages":
        return _messages(span, package, after, limit)
    parameters = {"start": span.start, "end": span.end, "package": package, "after": after, "limit": limit}
    return text(f"{_REPORTS[of]} LIMIT CAST(:limit AS int)"), parameters


def _messages(span: ReportRange, package: str | None, after: str | None, limit: int) -> Statement:
    """The statement of a list of messages, the newest first. It first reads the first row of each message of the page,
    in the order of an index. Then it reads the other rows of these messages."""
    parameters: dict[str, Any] = {"start": span.start, "end": span.end, "limit": limit}
    conditions = ["first_at >= CAST(:start AS timestamptz)", "first_at < CAST(:end AS timestamptz)", _IS_FIRST_ROW]
    if package is not None:
        conditions.append("package_id = :package")
        parameters["package"] = package
    if after is not None:
        at, _, message_id = after.partition(" ")
        conditions.append("(first_at, message_id) < (CAST(:after_at AS timestamptz), :after_id)")
        parameters |= {"after_at": datetime.fromisoformat(at).replace(tzinfo=UTC), "after_id": message_id}
    return text(_MESSAGES.format(conditions=" AND ".join(conditions))), parameters


def message(message_id: str) -> Statement:
    """The statement that sums up one message by profile, with its parameters."""
    return _MESSAGE, {"message": message_id}


_REPORTS: Mapping[str, str] = {
    "profiles": f"""
SELECT profile_id, max(package_id) AS package_id, {SUMS}, {SENT_OPEN}, {OF_OPEN} FROM stats.hour
WHERE {_SPAN} AND {_PACKAGE} AND (CAST(:after AS text) IS NULL OR profile_id > :after)
GROUP BY profile_id ORDER BY profile_id""",
    "packages": f"""
SELECT package_id, {SUMS}, {SENT_OPEN}, {OF_OPEN} FROM stats.package_hour
WHERE {_SPAN} AND {_PACKAGE} AND (CAST(:after AS text) IS NULL OR package_id > :after)
GROUP BY package_id ORDER BY package_id""",
}
_IS_FIRST_ROW = """(
        SELECT (first.profile_id, first.lane) = (message.profile_id, message.lane)
        FROM stats.message AS first WHERE first.message_id = message.message_id
        ORDER BY first.first_at, first.profile_id, first.lane LIMIT 1)"""
"""A message has a row for each profile and lane. This condition holds for its first row. The condition is not written
as NOT EXISTS, because Postgres might then compare all messages of the span with each other. A page needs only a few of
them."""
_MESSAGES = f"""
SELECT to_char(page.first_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') || ' ' || page.message_id AS place,
       counted.*
FROM (SELECT message_id, first_at FROM stats.message WHERE {{conditions}}
      ORDER BY first_at DESC, message_id DESC LIMIT CAST(:limit AS int)) AS page
CROSS JOIN LATERAL (
    SELECT page.message_id, max(package_id) AS package_id, min(first_at) AS first_at, max(last_at) AS last_at,
           {SUMS}, {SENT_OPEN}, {OF_OPEN}
    FROM stats.message WHERE message.message_id = page.message_id) AS counted
ORDER BY page.first_at DESC, page.message_id DESC"""
_MESSAGE = text(f"""
SELECT profile_id, max(package_id) AS package_id, min(first_at) AS first_at, max(last_at) AS last_at,
       {SUMS}, {SENT_OPEN}, {OF_OPEN}
FROM stats.message WHERE message_id = :message GROUP BY profile_id ORDER BY profile_id""")
