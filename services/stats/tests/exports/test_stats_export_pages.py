"""Pages of exports on a real Postgres: every row that existed at the start comes once, while messages are counted."""

import csv
import io
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from stats.api.sql_history import Statement
from stats.core.report_range import ReportRange
from stats.exports.pages import Rows, pages_by_id
from stats.exports.sql import alerts_page, messages_page, read_page
from stats.testing import StatsHarness, outcome, package, profile, report

pytestmark = pytest.mark.postgres

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SPAN = ReportRange(NOON - 30 * DAY, NOON + DAY, "day", "UTC")
PROFILES = [f"p{number}" for number in range(5)]


@pytest.fixture
async def harness(engine: AsyncEngine) -> StatsHarness:
    harness = StatsHarness(engine, NOON, package("shop", *map(profile, PROFILES)), package("bank", profile("cards")))
    harness.export_page_rows = 3
    sent = [
        outcome(number, status, NOON - number * 7 * HOUR, name, message_id=f"msg_{number:02}", failure=failure)
        for number in range(12)
        for name in PROFILES[: number % 6]
        for status, failure in (("sent", None), ("deferred", "throttled"))
    ]
    await harness.receive(*sent, outcome(50, "sent", NOON, "cards", package_id="bank", lane="reply"))
    return harness


@pytest.fixture
async def http(harness: StatsHarness) -> AsyncGenerator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(harness.app("secret"))
    headers = {"Authorization": "Bearer secret"}
    async with httpx.AsyncClient(transport=transport, base_url="http://stats/api/v1", headers=headers) as client:
        yield client


@pytest.mark.parametrize("by", ["minute", "hour", "day"])
@pytest.mark.parametrize("each", [{"each": "profile"}, {}])
@pytest.mark.parametrize("of", [{}, {"package_id": "shop"}, {"profile_id": "p1"}, {"lane": "reply"}])
async def test_an_export_in_pages_has_the_rows_of_the_list(
    http: httpx.AsyncClient, by: str, each: dict[str, str], of: dict[str, str]
) -> None:
    params = {"by": by, "from": SPAN.start.isoformat(), "timezone": "Africa/Cairo", **each, **of}
    listed = (await http.get("/history", params=params)).json()["data"]
    file = (await http.get("/exports/history.csv", params=params)).text
    exported = [(row["at"], row["profile_id"], row["sent"]) for row in csv.DictReader(io.StringIO(file))]
    assert exported == [(row["at"], row["profile_id"] or "", str(row["sent"])) for row in listed]
    assert exported


@pytest.mark.parametrize("of", ["profiles", "packages", "messages"])
async def test_a_report_in_pages_has_the_rows_of_the_list(http: httpx.AsyncClient, of: str) -> None:
    params = {"from": SPAN.start.isoformat()}
    listed = (await http.get(f"/reports/{of}", params=params)).json()["data"]
    file = (await http.get(f"/exports/{of}.csv", params=params)).text
    exported = {(row[f"{of[:-1]}_id"], row["sent"]) for row in csv.DictReader(io.StringIO(file))}
    assert exported == {(row[f"{of[:-1]}_id"], str(row["sent"])) for row in listed}
    assert len(file.splitlines()) == len(listed) + 1


async def test_no_message_comes_twice_or_is_missing_while_messages_are_counted(
    harness: StatsHarness, engine: AsyncEngine
) -> None:
    """Late events change when a message was first counted, and new messages begin."""

    async def read(statement: Statement) -> Rows:
        return await read_page(engine, statement)

    def page(after: str | None) -> Statement:
        return messages_page(SPAN, "shop", after, 3)

    before = {row["message_id"] for row in await read(messages_page(SPAN, "shop", None, 100))}
    exported = list[str]()
    async for rows in pages_by_id(read, 3, page, "message_id"):
        exported += [row["message_id"] for row in rows]
        late = len(exported)
        events: list[Any] = [
            outcome(100 + number, "sent", NOON - (10 + late) * DAY / 2, message_id=f"msg_{number:02}")
            for number in range(late % 3, 12, 3)
        ]
        await harness.receive(*events, outcome(200 + late, "sent", NOON, message_id=f"msg_new_{late}"))
    assert len(before) > 6
    assert {name for name in exported if name in before} == before
    assert len(exported) == len(set(exported))


async def test_alerts_come_in_pages_too(harness: StatsHarness, engine: AsyncEngine, http: httpx.AsyncClient) -> None:
    await harness.receive(*(report(NOON, name, session="unlinked") for name in PROFILES))
    await harness.evaluate()
    listed = (await http.get("/alerts", params={"limit": 200})).json()["data"]
    file = (await http.get("/exports/alerts.csv")).text
    assert [row["alert_id"] for row in csv.DictReader(io.StringIO(file))] == sorted(row["alert_id"] for row in listed)
    assert len(listed) > 3
    of_one = await read_page(engine, alerts_page(SPAN, "shop", "p1", None, 100))
    assert {row["profile_id"] for row in of_one} == {"p1"}
