"""Feed, API, sign-in, downloads and uploads, against in-process servers that speak the shapes of ingress and stats."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from fastapi import FastAPI
from openpyxl import Workbook

from console.core.api_models import Packages
from console.core.recipient_list import Scan
from console.data.api import Away, Given, Refused
from console.data.polling_cache import Feed, Question
from console.data.polling_caches import Feeds
from console.data.sessions import COOKIE, Sessions
from console.data.spreadsheets import Sheet, Unreadable, new_sheet
from console.settings import ConsoleSettings
from console.ui import auth, downloads
from spreader.testing import ManualClock

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PACKAGES = Question("ingress", "/packages", Packages, all_pages=True)


@dataclass
class Town:
    """What the two services know, and how they behave."""

    packages: list[str] = field(default_factory=list[str])
    away: bool = False
    gibberish: bool = False
    asked: list[str] = field(default_factory=list[str])
    operators: list[str] = field(default_factory=list[str])

    async def list_packages(self, request: web.Request) -> web.StreamResponse:
        """One package on each page: the cursor is the number of the next."""
        place = int(request.query.get("cursor", "0"))
        page = [{"package_id": each, "name": each.title()} for each in self.packages[place : place + 1]]
        more = str(place + 1) if place + 1 < len(self.packages) else None
        return self._answer(request, {"data": page, "next_cursor": more})

    async def change(self, request: web.Request) -> web.StreamResponse:
        errors = [{"pointer": "/gap", "code": "x", "detail": "too long"}]
        body = {"code": "invalid", "detail": "/gap: too long", "errors": errors}
        return web.json_response(body, status=422, content_type="application/problem+json")

    async def export(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(str(request.rel_url))
        return web.Response(text="a,b\n1,2\n", content_type="text/csv")

    def _answer(self, request: web.Request, body: dict[str, Any]) -> web.Response:
        self.asked.append(str(request.rel_url))
        self.operators.append(request.headers.get("Spreader-Operator", ""))
        if request.headers.get("Authorization") != "Bearer secret":
            return web.json_response({"code": "unauthorized", "detail": "no"}, status=401)
        if self.away:
            return web.json_response({"code": "unavailable", "detail": "Kafka is away."}, status=503)
        return web.Response(text="<html>") if self.gibberish else web.json_response(body)


@pytest.fixture
def town() -> Town:
    return Town(["shop", "bank"])


@pytest.fixture
async def url(town: Town) -> AsyncGenerator[str]:
    app = web.Application()
    app.router.add_get("/api/v1/packages", town.list_packages)
    app.router.add_patch("/api/v1/packages/shop", town.change)
    app.router.add_get("/api/v1/exports/history.csv", town.export)
    server = TestServer(app)
    await server.start_server()
    yield str(server.make_url("")).rstrip("/")
    await server.close()


@pytest.fixture
async def feeds(url: str) -> AsyncGenerator[Feeds]:
    feeds = Feeds(ConsoleSettings(ingress_url=url, stats_url=url), ManualClock(NOON))
    await feeds.start()
    yield feeds
    await feeds.stop()


@pytest.fixture
def sessions() -> Sessions:
    return Sessions("a secret", timedelta(hours=1), ManualClock(NOON))


@pytest.fixture
async def http(feeds: Feeds, sessions: Sessions) -> AsyncGenerator[httpx.AsyncClient]:
    """The console's own addresses, with one page behind the gate."""
    app = FastAPI()

    async def page() -> str:
        return "inside"

    downloads.install(app, sessions, feeds)
    app.add_api_route("/inside", page)
    auth.install(app, sessions, feeds, secure=False)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://console") as client:
        yield client


async def names(feed: Feed) -> list[str] | None:
    await feed.first(PACKAGES, seconds=30.0)
    known = feed.look(PACKAGES).value
    return None if known is None else [each.name for each in known.data]


async def test_every_page_of_a_list_is_read_and_all_tabs_share_one_answer(feeds: Feeds, town: Town) -> None:
    assert await names(feeds.of("secret", "Mona")) == ["Shop", "Bank"]
    assert await names(feeds.of("secret", "Mona")) == ["Shop", "Bank"]
    assert len(town.asked) == 2  # two pages, once
    assert set(town.operators) == {"Mona"}


async def test_nobody_sees_what_another_key_may_see(feeds: Feeds) -> None:
    assert await names(feeds.of("secret", "")) == ["Shop", "Bank"]
    other = feeds.of("wrong", "")
    assert await names(other) is None
    assert "sign in again" in str(other.look(PACKAGES).trouble)


async def until(look: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await look():
            await asyncio.sleep(0.01)


async def test_what_was_heard_last_stays_while_others_are_away(feeds: Feeds, town: Town) -> None:
    feed = feeds.of("secret", "")
    await names(feed)
    same = feed.look(PACKAGES).value
    town.away = True
    feed.again(PACKAGES)

    async def is_missed() -> bool:
        await feeds.turn()
        return feed.look(PACKAGES).trouble == "Kafka is away"

    await until(is_missed)
    assert feed.look(PACKAGES).value is same
    town.away = False
    feed.again(PACKAGES)

    async def is_heard() -> bool:
        await feeds.turn()
        return feed.look(PACKAGES).trouble is None

    await until(is_heard)
    assert feed.look(PACKAGES).value is same  # nothing changed: nothing is drawn again


@pytest.mark.parametrize(
    ("key", "gibberish", "reachable", "kind", "words"),
    [
        ("wrong", False, True, Refused, "no"),
        ("secret", True, True, Away, "its answer cannot be read"),
        ("secret", False, False, Away, "it cannot be reached"),
    ],
)
async def test_every_failure_is_a_value_that_says_why(
    town: Town, url: str, key: str, gibberish: bool, reachable: bool, kind: type[Any], words: str
) -> None:
    town.gibberish = gibberish
    where = url if reachable else "http://127.0.0.1:1"
    feeds = Feeds(ConsoleSettings(ingress_url=where, stats_url=where), ManualClock(NOON))
    await feeds.start()
    answer = await feeds.api(key, "").get("ingress", "/packages")
    await feeds.stop()
    assert isinstance(answer, kind)
    assert words in (answer.detail if isinstance(answer, Refused) else answer.why if isinstance(answer, Away) else "")


async def test_complaints_come_by_field(feeds: Feeds) -> None:
    answer = await feeds.api("secret", "").call("PATCH", "ingress", "/packages/shop", {"gap": {}})
    assert answer == Refused(422, "invalid", "/gap: too long", {"/gap": "too long"})
    assert isinstance(await feeds.api("secret", "").get("ingress", "/packages"), Given)


async def test_who_is_not_signed_in_is_sent_to_sign_in_and_then_on(http: httpx.AsyncClient) -> None:
    shut = await http.get("/inside?x=1")
    assert (shut.status_code, shut.headers["location"]) == (303, "/sign-in?next=/inside%3Fx%3D1")
    wrong = await http.post("/sign-in?next=/inside", data={"key": "wrong", "operator": "<b>"})
    assert (wrong.status_code, "does not take this key" in wrong.text, "<b>" in wrong.text) == (401, True, False)
    right = await http.post("/sign-in?next=/inside", data={"key": "secret", "operator": "Mona"})
    assert (right.status_code, right.headers["location"]) == (303, "/inside")
    assert "HttpOnly" in right.headers["set-cookie"]
    assert "SameSite=strict" in right.headers["set-cookie"]
    assert (await http.get("/inside")).text == '"inside"'
    cookie = http.cookies[COOKIE]
    await http.post("/sign-out")
    assert (await http.get("/inside", headers={"Cookie": f"{COOKIE}={cookie}"})).status_code == 303


@pytest.mark.parametrize("elsewhere", ["https://evil.example", "//evil.example", "/\\evil.example"])
async def test_signing_in_leads_to_no_other_site(http: httpx.AsyncClient, elsewhere: str) -> None:
    answer = await http.post("/sign-in", params={"next": elsewhere}, data={"key": "secret"})
    assert answer.headers["location"] == "/"


def test_a_session_is_sealed_and_ends() -> None:
    clock = ManualClock(NOON)
    sessions = Sessions("a secret", timedelta(hours=1), clock)
    cookie = sessions.begin("the-key", "Mona")
    assert "the-key" not in cookie
    assert (held := sessions.read(cookie)) is not None
    assert (held.key, held.operator) == ("the-key", "Mona")
    assert Sessions("a secret", timedelta(hours=1), clock).read(cookie) is not None  # after a restart
    for other in (Sessions("another", timedelta(hours=1), clock), Sessions(None, timedelta(hours=1), clock)):
        assert other.read(cookie) is None
    assert [sessions.read(each) for each in (None, "", cookie[:-3], "x")] == [None] * 4
    clock.forward(timedelta(hours=1))
    assert sessions.read(cookie) is None


async def test_a_file_is_passed_on_to_who_is_signed_in(http: httpx.AsyncClient, town: Town) -> None:
    assert (await http.get("/downloads/history.csv")).status_code == 303
    await http.post("/sign-in", data={"key": "secret"})
    file = await http.get("/downloads/history.csv?package_id=shop&by=hour")
    assert (file.text, file.headers["content-type"].split(";")[0]) == ("a,b\n1,2\n", "text/csv")
    assert town.asked[-1] == "/api/v1/exports/history.csv?package_id=shop&by=hour"
    assert (await http.get("/downloads/..%2Fkeys.csv")).status_code == 404


def csv_of(folder: Path, text: str) -> Sheet:
    path = folder / "upload"
    path.write_text(text)
    return new_sheet("list.csv", path)


def test_a_sheet_of_any_dress_is_read_row_by_row(tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.append(["Name", "Phone"])
    for number in (201001234567, "+20 100 123 4568", None, "x", 201001234567):
        sheet.append(["Mona", number])
    book.save(tmp_path / "upload.xlsx")
    spread = new_sheet("list.XLSX", (tmp_path / "upload.xlsx"))
    text = "Name;Phone\r\nMona;201001234567\r\nOmar;+20 100 123 4568\r\nAli;\r\nSara;x\r\nMona;201001234567\r\n"
    for sheet in (spread, csv_of(tmp_path, "\ufeff" + text)):
        scan = Scan()
        sheet.scan(1, scan)
        assert (scan.good, scan.wrong, scan.empty, scan.repeated, scan.done) == (2, 1, 1, 1, True)
        assert list(sheet.pieces(1)) == [["201001234567"], ["201001234568"]]
        assert list(sheet.pieces(1, skip=1)) == [["201001234568"]]
        assert [each.line for each in scan.errors] == [5]
        sheet.forget()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("list.pdf", b"x", "neither .csv nor .xlsx"),
        ("list.xlsx", b"no zip", "no spreadsheet that can be read"),
        ("list.csv", "Name\nZoë".encode("utf-16"), "not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_says_what_to_do(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    path = tmp_path / "upload"
    path.write_bytes(content)
    with pytest.raises(Unreadable, match=words):
        new_sheet(name, path).first()
