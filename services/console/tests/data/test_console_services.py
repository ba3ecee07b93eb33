"""Polling cache, API client, sign-in and downloads, against an in-process server in place of ingress and stats."""

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

from console.core.api_models import ApiPackageList
from console.data.api import SIGNED_OUT, CallFailed, CallRefused, CallSucceeded
from console.data.polling_cache import PollingCache, PollingCaches, Query
from console.data.sessions import COOKIE, Sessions
from console.data.spreadsheets import ColumnReading, Spreadsheet, UnreadableFile, open_spreadsheet
from console.settings import ConsoleSettings
from console.ui import auth, downloads
from console.ui.actions import error_text
from console.ui.page_context import PageContext
from console.ui.uploads import UploadFields
from spreader.phone.number_column import find_layout
from spreader.testing import ManualClock

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NOW = ManualClock(NOON)
PACKAGES = Query("ingress", "/packages", ApiPackageList, all_pages=True)


@dataclass
class FakeApi:
    """What the two services return."""

    packages: list[str] = field(default_factory=list[str])
    unavailable: bool = False
    garbage: bool = False
    requests: list[str] = field(default_factory=list[str])
    operators: list[str] = field(default_factory=list[str])

    async def list_packages(self, request: web.Request) -> web.StreamResponse:
        """One package on each page: the cursor is the number of the next."""
        index = int(request.query.get("cursor", "0"))
        page = [{"package_id": name, "name": name.title()} for name in self.packages[index : index + 1]]
        more = str(index + 1) if index + 1 < len(self.packages) else None
        return self._answer(request, {"data": page, "next_cursor": more})

    async def change(self, request: web.Request) -> web.StreamResponse:
        errors = [{"pointer": "/gap", "code": "x", "detail": "too long"}]
        body = {"code": "invalid", "detail": "/gap: too long", "errors": errors}
        return web.json_response(body, status=422, content_type="application/problem+json")

    async def export(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(str(request.rel_url))
        return web.Response(text="a,b\n1,2\n", content_type="text/csv")

    def _answer(self, request: web.Request, body: dict[str, Any]) -> web.Response:
        self.requests.append(str(request.rel_url))
        self.operators.append(request.headers.get("Spreader-Operator", ""))
        if request.headers.get("Authorization") != "Bearer secret":
            return web.json_response({"code": "unauthorized", "detail": "no"}, status=401)
        if self.unavailable:
            return web.json_response({"code": "unavailable", "detail": "Kafka is away."}, status=503)
        return web.Response(text="<html>") if self.garbage else web.json_response(body)


@pytest.fixture
def fake_api() -> FakeApi:
    return FakeApi(["shop", "bank"])


@pytest.fixture
async def url(fake_api: FakeApi) -> AsyncGenerator[str]:
    app = web.Application()
    app.router.add_get("/api/v1/packages", fake_api.list_packages)
    app.router.add_patch("/api/v1/packages/shop", fake_api.change)
    app.router.add_get("/api/v1/exports/history.csv", fake_api.export)
    server = TestServer(app)
    await server.start_server()
    yield str(server.make_url("")).rstrip("/")
    await server.close()


@pytest.fixture
async def caches(url: str) -> AsyncGenerator[PollingCaches]:
    caches = PollingCaches(ConsoleSettings(ingress_url=url, stats_url=url), ManualClock(NOON))
    await caches.start()
    yield caches
    await caches.stop()


@pytest.fixture
def sessions() -> Sessions:
    return Sessions("a secret", timedelta(hours=1), ManualClock(NOON))


@pytest.fixture
async def http(caches: PollingCaches, sessions: Sessions) -> AsyncGenerator[httpx.AsyncClient]:
    """The console's own endpoints, with one page that needs a session."""
    app = FastAPI()

    async def page() -> str:
        return "inside"

    downloads.install(app, sessions, caches)
    app.add_api_route("/inside", page)
    auth.install(app, sessions, caches, secure=False)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://console") as client:
        yield client


async def names(cache: PollingCache) -> list[str] | None:
    await cache.load(PACKAGES, seconds=30.0)
    packages = cache.last_answer(PACKAGES).value
    return None if packages is None else [package.name for package in packages.data]


async def test_all_pages_of_a_list_are_read_once_for_all_tabs(caches: PollingCaches, fake_api: FakeApi) -> None:
    assert await names(caches.get("secret", "Mona")) == ["Shop", "Bank"]
    assert await names(caches.get("secret", "Mona")) == ["Shop", "Bank"]
    assert len(fake_api.requests) == 2  # two pages, once
    assert set(fake_api.operators) == {"Mona"}


async def test_each_api_key_has_a_cache_of_its_own(caches: PollingCaches) -> None:
    assert await names(caches.get("secret", "")) == ["Shop", "Bank"]
    other = caches.get("wrong", "")
    assert await names(other) is None
    assert "sign in again" in str(other.last_answer(PACKAGES).error)


async def until(look: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await look():
            await asyncio.sleep(0.01)


async def test_the_last_data_stays_while_a_service_is_unavailable(caches: PollingCaches, fake_api: FakeApi) -> None:
    cache = caches.get("secret", "")
    await names(cache)
    same = cache.last_answer(PACKAGES).value
    fake_api.unavailable = True
    cache.refresh(PACKAGES)

    async def has_failed() -> bool:
        await caches.poll()
        return cache.last_answer(PACKAGES).error == "Kafka is away"

    await until(has_failed)
    assert cache.last_answer(PACKAGES).value is same
    fake_api.unavailable = False
    cache.refresh(PACKAGES)

    async def has_recovered() -> bool:
        await caches.poll()
        return cache.last_answer(PACKAGES).error is None

    await until(has_recovered)
    assert cache.last_answer(PACKAGES).value is same  # nothing changed: nothing is drawn again


@pytest.mark.parametrize(
    ("key", "garbage", "reachable", "kind", "words"),
    [
        ("wrong", False, True, CallRefused, "no"),
        ("secret", True, True, CallFailed, "its answer cannot be read"),
        ("secret", False, False, CallFailed, "it cannot be reached"),
    ],
)
async def test_every_failure_is_a_value_with_its_reason(
    fake_api: FakeApi, url: str, key: str, garbage: bool, reachable: bool, kind: type[Any], words: str
) -> None:
    fake_api.garbage = garbage
    base_url = url if reachable else "http://127.0.0.1:1"
    caches = PollingCaches(ConsoleSettings(ingress_url=base_url, stats_url=base_url), ManualClock(NOON))
    await caches.start()
    answer = await caches.api(key, "").get("ingress", "/packages")
    await caches.stop()
    assert isinstance(answer, kind)
    assert words in (
        answer.detail if isinstance(answer, CallRefused) else answer.reason if isinstance(answer, CallFailed) else ""
    )


async def test_errors_come_by_field(caches: PollingCaches) -> None:
    answer = await caches.api("secret", "").call("PATCH", "ingress", "/packages/shop", {"gap": {}})
    assert answer == CallRefused(422, "invalid", "/gap: too long", {"/gap": "too long"})
    assert isinstance(await caches.api("secret", "").get("ingress", "/packages"), CallSucceeded)


async def test_a_request_without_a_session_is_redirected_to_sign_in_and_back(http: httpx.AsyncClient) -> None:
    shut = await http.get("/inside?x=1")
    assert (shut.status_code, shut.headers["location"]) == (303, "/sign-in?next=/inside%3Fx%3D1")
    wrong = await http.post("/sign-in?next=/inside", data={"key": "wrong", "operator": "<b>"})
    assert (wrong.status_code, "Wrong API key." in wrong.text, "<b>" in wrong.text) == (401, True, False)
    right = await http.post("/sign-in?next=/inside", data={"key": "secret", "operator": "Mona"})
    assert (right.status_code, right.headers["location"]) == (303, "/inside")
    assert "HttpOnly" in right.headers["set-cookie"]
    assert "SameSite=strict" in right.headers["set-cookie"]
    assert (await http.get("/inside")).text == '"inside"'
    cookie = http.cookies[COOKIE]
    await http.post("/sign-out")
    assert (await http.get("/inside", headers={"Cookie": f"{COOKIE}={cookie}"})).status_code == 303


@pytest.mark.parametrize("elsewhere", ["https://evil.example", "//evil.example", "/\\evil.example"])
async def test_sign_in_never_redirects_to_another_site(http: httpx.AsyncClient, elsewhere: str) -> None:
    answer = await http.post("/sign-in", params={"next": elsewhere}, data={"key": "secret", "operator": "Mona"})
    assert answer.headers["location"] == "/"


def test_a_session_cookie_is_encrypted_and_expires() -> None:
    clock = ManualClock(NOON)
    sessions = Sessions("a secret", timedelta(hours=1), clock)
    cookie = sessions.new_cookie("the-key", "Mona")
    assert "the-key" not in cookie
    assert (session := sessions.read(cookie)) is not None
    assert (session.key, session.operator) == ("the-key", "Mona")
    assert Sessions("a secret", timedelta(hours=1), clock).read(cookie) is not None  # after a restart
    for other in (Sessions("another", timedelta(hours=1), clock), Sessions(None, timedelta(hours=1), clock)):
        assert other.read(cookie) is None
    assert [sessions.read(broken) for broken in (None, "", cookie[:-3], "x")] == [None] * 4
    clock.forward(timedelta(hours=1))
    assert sessions.read(cookie) is None


async def test_an_export_is_streamed_to_a_signed_in_operator(http: httpx.AsyncClient, fake_api: FakeApi) -> None:
    assert (await http.get("/downloads/history.csv")).status_code == 303
    await http.post("/sign-in", data={"key": "secret", "operator": "Mona"})
    file = await http.get("/downloads/history.csv?package_id=shop&by=hour")
    assert (file.text, file.headers["content-type"].split(";")[0]) == ("a,b\n1,2\n", "text/csv")
    assert fake_api.requests[-1] == "/api/v1/exports/history.csv?package_id=shop&by=hour"
    assert (await http.get("/downloads/..%2Fkeys.csv")).status_code == 404


async def test_a_tab_that_was_signed_out_elsewhere_can_do_nothing(
    caches: PollingCaches, sessions: Sessions, fake_api: FakeApi
) -> None:
    session = sessions.read(sessions.new_cookie("secret", "Mona"))
    assert session is not None
    context = PageContext(session, sessions, caches.get("secret", "Mona"), NOW, NOW, UploadFields())
    assert isinstance(await context.api.get("ingress", "/packages"), CallSucceeded)
    sessions.sign_out(session)
    fake_api.requests.clear()
    refused = [
        await context.api.call("PATCH", "ingress", "/packages/shop", {}),
        await context.api.stream("stats", "/exports/history.csv"),
    ]
    assert [type(result) for result in refused] == [CallRefused, CallRefused]
    assert error_text(SIGNED_OUT, "ingress").startswith("You are signed out. Nothing was done")
    assert fake_api.requests == []


@pytest.mark.parametrize("cookie", ["café", "\udcff", "x" * 10_000, ""])
async def test_a_cookie_of_somebody_else_leads_to_the_sign_in_page(http: httpx.AsyncClient, cookie: str) -> None:
    header = f"{COOKIE}=".encode() + cookie.encode("latin-1", "replace")
    assert (await http.get("/inside", headers={b"Cookie": header})).status_code == 303


def csv_of(folder: Path, text: str) -> Spreadsheet:
    path = folder / "upload"
    path.write_text(text)
    return open_spreadsheet("list.csv", path)


def test_a_spreadsheet_of_either_format_is_read_row_by_row(tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.append(["Name", "Phone"])
    for number in (201001234567, "+20 100 123 4568", None, "x", 201001234567):
        sheet.append(["Mona", number])
    book.save(tmp_path / "upload.xlsx")
    spread = open_spreadsheet("list.XLSX", (tmp_path / "upload.xlsx"))
    text = "Name;Phone\r\nMona;201001234567\r\nOmar;+20 100 123 4568\r\nAli;\r\nSara;x\r\nMona;201001234567\r\n"
    for sheet in (spread, csv_of(tmp_path, "\ufeff" + text)):
        reading = ColumnReading(sheet, 1, first_row=1)
        reading.run()
        scan = reading.scan
        assert (scan.valid, scan.invalid, scan.empty, scan.repeated, scan.done) == (2, 1, 1, 1, True)
        assert list(reading.batches(1)) == [["201001234567"], ["201001234568"]]
        assert list(reading.batches(1, skip=1)) == [["201001234568"]]
        assert [error.line for error in scan.errors] == [5]
        reading.stop()
        sheet.delete()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("الاسم;رقم الموبايل\r\nمنى;201001234567\r\n", "cp1256"),
        ("Name\tMobile\r\nZoë\t201001234567\r\n", "utf-16"),
        ("sep=;\r\nName;Mobile\r\nMona, Omar;201001234567\r\n", "utf-8"),
        ("Name,Mobile\rMona,201001234567\r", "utf-8"),
        ('Customers of May\n\nName,Mobile\nMona,="201001234567"\n', "utf-8"),
    ],
)
def test_a_file_is_read_as_offices_write_it(tmp_path: Path, text: str, encoding: str) -> None:
    path = tmp_path / "upload"
    path.write_bytes(text.encode(encoding))
    sheet = open_spreadsheet("list.csv", path)
    layout = find_layout(sheet.first_rows())
    reading = ColumnReading(sheet, layout.column, layout.first_row)
    reading.run()
    assert list(reading.batches(10)) == [["201001234567"]]
    assert reading.scan.invalid == 0


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("list.pdf", b"x", "neither .csv nor .xlsx"),
        ("list.xlsx", b"no zip", "no spreadsheet that can be read"),
        ("list.csv", b"\xff\xfe\x00", "no spreadsheet that can be read"),
        ("list.csv", b"\xd0\xcf\x11\xe0", "neither a CSV nor an XLSX"),
    ],
)
def test_an_unreadable_file_says_what_to_do(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    path = tmp_path / "upload"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match=words):
        open_spreadsheet(name, path).first_rows()
