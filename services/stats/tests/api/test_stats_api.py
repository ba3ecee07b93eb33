"""API of stats on a real Postgres: history, reports, alerts, exports, the event stream, and resuming a profile."""

import base64
import csv
import io
import json
import zipfile
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
from pyarrow import parquet
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.http.cursors import encode_cursor
from spreader.testing.conformance import checked_client
from stats.api.event_stream import OVERLAP, EventStream
from stats.testing import StatsHarness, customer_message, documented, outcome, package, profile, report

pytestmark = pytest.mark.postgres

NOON = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
KEY = {"Authorization": "Bearer secret"}


@pytest.fixture
async def harness(engine: AsyncEngine) -> StatsHarness:
    harness = StatsHarness(
        engine, NOON, package("shop", profile("sales"), profile("idle")), package("bank", profile("cards"))
    )
    await harness.receive(
        outcome(1, "sent", NOON - 26 * HOUR), outcome(1, "read", NOON - 25 * HOUR),
        outcome(2, "sent", NOON - 2 * MINUTE), outcome(2, "delivered", NOON - MINUTE), outcome(3, "sent", NOON),
        outcome(4, "failed", NOON, failure="recipient", reason="=nobody"),
        outcome(5, "deferred", NOON, failure="throttled"),
        outcome(6, "sent", NOON, message_id="msg_2", lane="reply"),
        outcome(7, "sent", NOON, "cards", package_id="bank", message_id="msg_3"),
        customer_message(2, NOON),
    )  # fmt: skip
    return harness


@pytest.fixture
async def http(harness: StatsHarness) -> AsyncGenerator[httpx.AsyncClient]:
    async with checked_client(harness.app("secret"), "http://stats/api/v1", KEY, documented()) as client:
        yield client


async def got(http: httpx.AsyncClient, path: str, **params: Any) -> Any:
    response = await http.get(path, params=params)
    assert response.status_code == 200, response.text
    return response.json()


def thin(row: dict[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)


async def test_the_history_has_a_row_for_each_step_in_which_something_happened(http: httpx.AsyncClient) -> None:
    hours = await got(http, "/history", package_id="shop", by="hour")
    assert [thin(row, "at", "sent", "sent_open", "delivered", "read", "answered") for row in hours["data"]] == [
        ("2026-02-28T10:00:00Z", 1, 1, 0, 0, 0),
        ("2026-02-28T11:00:00Z", 0, 0, 1, 1, 0),
        ("2026-03-01T11:00:00Z", 1, 1, 1, 0, 0),
        ("2026-03-01T12:00:00Z", 2, 1, 0, 0, 1),
    ]
    assert hours["data"][-1]["failures"] == {"recipient": 1, "throttled": 1}
    minutes = await got(http, "/history", profile_id="sales", by="minute")
    assert [thin(row, "at", "profile_id", "sent") for row in minutes["data"]] == [
        ("2026-03-01T11:58:00Z", "sales", 1),
        ("2026-03-01T11:59:00Z", "sales", 0),
        ("2026-03-01T12:00:00Z", "sales", 2),
    ]


async def test_days_begin_in_the_requested_zone_and_each_profile_can_have_a_row(http: httpx.AsyncClient) -> None:
    days = await got(http, "/history", by="day", timezone="Pacific/Auckland", lane="open")
    assert [thin(row, "at", "sent") for row in days["data"]] == [
        ("2026-02-27T11:00:00Z", 1), ("2026-02-28T11:00:00Z", 0), ("2026-03-01T11:00:00Z", 3),
    ]  # fmt: skip
    each = await got(http, "/history", by="day", each="profile")
    assert [thin(row, "profile_id", "sent") for row in each["data"]] == [("sales", 1), ("cards", 1), ("sales", 3)]


WRONG: list[tuple[str, dict[str, str], str]] = [
    ("/history", {"timezone": "Mars/Base"}, "time zone"),
    ("/history", {"from": "2026-03-02T00:00:00Z", "to": "2026-03-01T00:00:00Z"}, "`from` must be before `to`"),
    ("/history", {"by": "week"}, "by"),
    ("/reports/profiles", {"cursor": "%%%"}, "cursor"),
    ("/profiles/sales/changes", {"cursor": "YWJj"}, "cursor"),
    ("/reports/profiles", {"cursor": encode_cursor("/api/v1/alerts", "x")}, "another list"),
    ("/reports/profiles", {"cursor": base64.urlsafe_b64encode(b"a\0b").decode()}, "cursor"),
    ("/exports/history.pdf", {}, "form"),
    ("/alerts", {"state": "lost"}, "state"),
]


async def test_an_invalid_parameter_is_named(http: httpx.AsyncClient) -> None:
    for path, params, says in WRONG:
        response = await http.get(path, params=params)
        assert (response.status_code, response.json()["code"]) == (422, "invalid"), path
        assert says in response.text


async def test_a_cursor_of_the_first_version_is_still_read(http: httpx.AsyncClient) -> None:
    cursor = base64.urlsafe_b64encode(b"sales").decode()
    assert (await got(http, "/reports/profiles", cursor=cursor))["data"] == []


async def test_a_forged_number_in_a_cursor_asks_for_no_more_than_the_store_can_hold(http: httpx.AsyncClient) -> None:
    for path in ("/alerts", "/profiles/sales/changes"):
        cursor = encode_cursor(f"/api/v1{path}", "9" * 40)
        assert (await http.get(path, params={"cursor": cursor})).status_code == 200, path


async def test_reports_sum_a_span_with_shares(http: httpx.AsyncClient) -> None:
    profiles = (await got(http, "/reports/profiles", package_id="shop"))["data"]
    assert [thin(row, "profile_id", "package_id", "sent", "delivered", "failed", "rates") for row in profiles] == [
        ("sales", "shop", 4, 2, 1, {"delivered": 0.5, "read": 0.25, "failed": 0.2, "answered": 0.5})
    ]
    packages = (await got(http, "/reports/packages"))["data"]
    assert [thin(row, "package_id", "sent") for row in packages] == [("bank", 1), ("shop", 4)]
    assert packages[0]["rates"] == {"delivered": 0.0, "read": 0.0, "failed": 0.0, "answered": None}


async def test_messages_are_listed_newest_first_page_by_page(http: httpx.AsyncClient) -> None:
    first = await got(http, "/reports/messages", limit=1, package_id="shop")
    second = await got(http, "/reports/messages", limit=1, package_id="shop", cursor=first["next_cursor"])
    assert [row["message_id"] for row in (*first["data"], *second["data"])] == ["msg_2", "msg_1"]
    assert second["next_cursor"] is None
    one = await got(http, "/reports/messages/msg_1")
    assert thin(one, "sent", "delivered", "answered", "failed") == (3, 2, 1, 1)
    assert [row["profile_id"] for row in one["profiles"]] == ["sales"]
    assert (await http.get("/reports/messages/msg_9")).status_code == 404


async def test_an_alert_is_listed_acknowledged_and_cleared(harness: StatsHarness, http: httpx.AsyncClient) -> None:
    await harness.receive(outcome(8, "deferred", NOON, failure="restricted", code="131048", reason="too many blocked"))
    await harness.evaluate()
    (alert,) = (await got(http, "/alerts", package_id="shop"))["data"]
    assert thin(alert, "profile_id", "kind", "severity", "state", "evidence") == (
        "sales", "restricted", "critical", "raised", "131048: too many blocked",
    )  # fmt: skip
    path = f"/alerts/{alert['alert_id']}/acknowledge"
    first, again = (await http.post(path, json={"by": "Mona"})), (await http.post(path, json={"by": "Karim"}))
    assert first.json() == again.json()
    assert thin(again.json(), "state", "acknowledged_by") == ("acknowledged", "Mona")
    assert (await http.post("/alerts/alr_none/acknowledge", json={"by": "Mona"})).status_code == 404
    for _ in range(2):  # the closure ends after a day, and the alert after a day without it
        harness.clock.forward(25 * HOUR)
        await harness.evaluate()
    listed = {state: len((await got(http, "/alerts", state=state))["data"]) for state in ("open", "cleared", "all")}
    assert listed == {"open": 0, "cleared": 1, "all": 1}
    assert harness.alerts == [("restricted", state) for state in ("raised", "acknowledged", "cleared")]


async def test_an_operator_opens_a_closed_lane_and_the_change_is_listed(
    harness: StatsHarness, http: httpx.AsyncClient
) -> None:
    await harness.receive(report(NOON, session="unlinked"))
    assert (await got(http, "/profiles/sales"))["reply"]["state"] == "blocked"
    harness.clock.forward(MINUTE)
    half = (await http.post("/profiles/sales/resume", json={"by": "Mona", "lane": "reply"})).json()
    whole = (await http.post("/profiles/sales/resume", json={"by": "Mona"})).json()
    assert (half["open"]["state"], half["reply"]["state"], whole["open"]["state"]) == ("blocked", "ok", "ok")
    changes = await got(http, "/profiles/sales/changes", limit=2)
    assert [thin(each, "what", "to", "cause") for each in changes["data"]] == [
        ("lanes", "ok", "resumed by Mona"),
        ("open lane", "ok", "it was said to work again"),
    ]
    older = await got(http, "/profiles/sales/changes", cursor=changes["next_cursor"])
    assert older["data"][-1]["to"] == "blocked until it works again"


async def test_live_lists_every_profile_with_the_time(http: httpx.AsyncClient) -> None:
    live = await got(http, "/live", package_id="shop")
    assert live["at"] == "2026-03-01T12:00:30Z"
    assert [(each["profile_id"], each["windows"]["hour"]["sent"]) for each in live["data"]] == [
        ("idle", 0),
        ("sales", 3),
    ]


async def test_an_export_has_the_rows_of_the_list_in_every_format(http: httpx.AsyncClient) -> None:
    for form in ("csv", "xlsx", "parquet"):
        response = await http.get(f"/exports/history.{form}", params={"by": "hour", "package_id": "shop"})
        assert response.headers["content-disposition"].endswith(f'.{form}"')
        assert read(form, response.content) == [("1", "0"), ("0", "1"), ("1", "1"), ("2", "0")]
        for what in ("profiles", "packages", "messages", "alerts"):
            assert (await http.get(f"/exports/{what}.{form}")).status_code == 200


def read(form: str, content: bytes) -> list[tuple[str, str]]:
    """The sent and delivered counts of each row."""
    if form == "csv":
        return [(row["sent"], row["delivered"]) for row in csv.DictReader(io.StringIO(content.decode()))]
    if form == "parquet":
        table = parquet.read_table(io.BytesIO(content)).to_pylist()
        return [(str(row["sent"]), str(row["delivered"])) for row in table]
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        rows = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml")).iter(
            "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}row"
        )
        cells = [{cell.get("r", "")[0]: "".join(cell.itertext()) for cell in row} for row in rows]
    headings = {heading: column for column, heading in cells[0].items()}
    return [(row[headings["sent"]], row[headings["delivered"]]) for row in cells[1:]]


def events(body: str) -> list[tuple[str, str]]:
    """The name of each event, and its profile."""
    found: list[tuple[str, str]] = []
    for block in body.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "event" in lines:
            found.append((lines["event"], json.loads(lines["data"]).get("profile_id", "")))
    return found


def last_id(body: str) -> str:
    return [line[4:] for line in body.splitlines() if line.startswith("id: ")][-1]


async def test_a_listener_gets_every_state_and_after_a_break_only_the_changed_ones(
    harness: StatsHarness, http: httpx.AsyncClient
) -> None:
    await harness.receive(outcome(8, "deferred", NOON, failure="restricted", reason="no"))
    await harness.evaluate()
    await harness.publish()
    harness.clock.forward(MINUTE)
    whole = (await http.get("/events", params={"package_id": "shop"})).text
    assert events(whole) == [("profile", "sales"), ("profile", "idle"), ("alert", "sales"), ("ready", "")]
    since = last_id(whole)
    harness.clock.forward(MINUTE)
    await harness.receive(outcome(9, "sent", NOON + 2 * MINUTE, "cards", package_id="bank"))
    await harness.publish()
    later = events((await http.get("/events", headers={"Last-Event-ID": since})).text)
    assert later == [("profile", "cards"), ("ready", "")]


async def test_a_listener_gets_changes_as_they_happen_and_only_the_newest_of_each_profile(
    harness: StatsHarness,
) -> None:
    harness.stream = EventStream(harness.engine, harness.clock, OVERLAP)
    await harness.publish()
    stream = harness.stream.stream(harness.published, "shop", None)
    pieces = [await anext(stream) for _ in range(3)]
    assert [name for piece in pieces for name, _ in events(piece.decode())] == ["profile", "profile", "ready"]
    for number in range(20, 23):
        await harness.receive(outcome(number, "sent", NOON))
        await harness.publish()
    (state,) = [json.loads(line[6:]) for line in (await anext(stream)).decode().splitlines() if line[:6] == "data: "]
    assert (state["profile_id"], state["windows"]["hour"]["sent"]) == ("sales", 6)
    await stream.aclose()
