"""Plans of the lists: no list of stats reads a whole table, and a page reads a bounded number of rows."""

import json
from collections.abc import AsyncGenerator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncEngine

from local.testbed.databases import MigratedDatabases
from stats.api.sql_history import report
from stats.core.report_range import ReportRange
from stats.health import sql_alerts
from stats.health.sql_alerts import AlertFilter, alert_list

pytestmark = pytest.mark.postgres

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ALERTS, MESSAGES, PROFILES, LIMIT = 40_000, 40_000, 4, 51
OPEN_EVERY = 400
PACKAGES = 10
ALERT_ROWS_MAX = ALERTS // OPEN_EVERY + LIMIT * (PACKAGES + 1)
"""All open alerts, or the newest alerts of all packages until a page of one package is full."""
MESSAGE_ROWS_MAX = LIMIT * PROFILES * 4
"""For each message of a page: its rows, the index entries of these rows, and a look for an earlier row for each."""

FILL = (
    f"""
INSERT INTO stats.alert (alert_id, profile_id, package_id, kind, severity, evidence, raised_at, changed_at, cleared_at,
                         told, position)
SELECT 'alr_' || lpad(n::text, 12, '0'), 'p' || n, 'pkg' || n % 10, 'health', 'warning', 'e', at, at,
       CASE WHEN n % {OPEN_EVERY} = 0 THEN NULL ELSE at END,
       CASE WHEN n % {OPEN_EVERY} = 0 THEN 'raised' ELSE 'cleared' END, n
FROM generate_series(1, {ALERTS}) AS n,
     LATERAL (SELECT TIMESTAMPTZ '2026-01-01' + n * interval '1 minute') AS t (at)""",
    f"""
INSERT INTO stats.message (message_id, profile_id, lane, package_id, first_at, last_at, sent)
SELECT 'msg_' || lpad(n::text, 12, '0'), 'p' || p, 'open', 'pkg' || n % 10, at + p * interval '1 minute', at, 1
FROM generate_series(1, {MESSAGES // PROFILES}) AS n, generate_series(1, {PROFILES}) AS p,
     LATERAL (SELECT TIMESTAMPTZ '2026-01-01' + n * interval '5 minutes') AS t (at)""",
    "ANALYZE stats.alert",
    "ANALYZE stats.message",
)


@pytest.fixture(scope="module")
async def filled(databases: MigratedDatabases) -> AsyncGenerator[AsyncEngine]:
    async with databases.of("stats") as engine:
        async with engine.begin() as connection:
            for statement in FILL:
                await connection.execute(text(statement))
        yield engine


def nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


async def rows_read(engine: AsyncEngine, statement: TextClause, parameters: Mapping[str, Any]) -> int:
    """How many rows the statement reads from its tables. Fails if it reads a whole table."""
    async with engine.connect() as connection:
        explained = text(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement.text}")
        found = (await connection.execute(explained, dict(parameters))).scalar_one()
    (plan,) = json.loads(found) if isinstance(found, str) else found
    scans = [node for node in nodes(plan["Plan"]) if "Scan" in node["Node Type"] and "Index Name" in node]
    whole = [node["Relation Name"] for node in nodes(plan["Plan"]) if node["Node Type"] == "Seq Scan"]
    assert whole == [], f"a whole table is read: {found}"
    assert scans
    removed = ("Rows Removed by Filter", "Rows Removed by Index Recheck")
    return sum(
        (node["Actual Rows"] + sum(node.get(each, 0) for each in removed)) * node["Actual Loops"] for node in scans
    )


STATES: tuple[AlertFilter, ...] = ("open", "raised", "acknowledged", "cleared", "all")


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(("package_id", "profile_id"), [(None, None), ("pkg0", None), ("pkg0", "p4000"), (None, "p7")])
async def test_a_page_of_alerts_reads_few_rows(
    filled: AsyncEngine, state: AlertFilter, package_id: str | None, profile_id: str | None
) -> None:
    for before in (None, "alr_000000030000"):
        statement, parameters = alert_list(LIMIT, package_id, profile_id, state, before)
        assert await rows_read(filled, statement, parameters) <= ALERT_ROWS_MAX


@pytest.mark.parametrize(
    ("statement", "parameters"),
    [
        (sql_alerts.ALERTS_AFTER, {"position": ALERTS - 100, "package": None, "limit": 1_000}),
        (sql_alerts.LAST_POSITION, {}),
        (sql_alerts.COUNT_OPEN, {}),
        (sql_alerts.COUNT_OF_PACKAGES, {"packages": [f"pkg{number}" for number in range(10)]}),
        (sql_alerts.FIRST_UNPUBLISHED, {}),
    ],
)
async def test_a_question_about_alerts_reads_few_rows(
    filled: AsyncEngine, statement: TextClause, parameters: dict[str, Any]
) -> None:
    assert await rows_read(filled, statement, parameters) <= ALERT_ROWS_MAX


@pytest.mark.parametrize("package", [None, "pkg3"])
@pytest.mark.parametrize("after", [None, "2026-01-20T00:00:00.000000 msg_000000005000"])
async def test_a_page_of_messages_reads_few_rows(filled: AsyncEngine, package: str | None, after: str | None) -> None:
    span = ReportRange(NOON - timedelta(days=90), NOON, "day", "UTC")
    statement, parameters = report("messages", span, package, after, LIMIT)
    assert await rows_read(filled, statement, parameters) <= MESSAGE_ROWS_MAX
