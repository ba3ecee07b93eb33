"""Downloads: the browser sees what becomes of an export of stats, over real sockets."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from fastapi import FastAPI

from console.data.polling_cache import PollingCaches
from console.data.sessions import COOKIE, Sessions
from console.settings import ConsoleSettings
from console.ui import auth, downloads
from spreader.testing import ManualClock, SlowReader, serving

NOW = ManualClock(datetime(2026, 3, 1, 12, tzinfo=UTC))
PIECE = b"2026-03-01T12:00:00Z,sales,1\n" * 5_000
FILE = "/downloads/history.csv?package_id=shop"


@dataclass
class FakeStats:
    """Exports of stats. `breaks`: the connection ends in the middle of the file. `endless`: the file never ends."""

    too_many: bool = False
    breaks: bool = False
    endless: bool = False
    has_left: asyncio.Event = field(default_factory=asyncio.Event)

    async def export(self, request: web.Request) -> web.StreamResponse:
        if self.too_many:
            body = {"code": "too-many-exports", "detail": "This instance already writes 8 exports."}
            return web.json_response(body, status=429, headers={"Retry-After": "30"})
        response = web.StreamResponse(headers={"Content-Type": "text/csv"})
        await response.prepare(request)
        try:
            await response.write(PIECE)
            while self.endless:
                await response.write(PIECE)
        finally:
            self.has_left.set()
        if self.breaks:
            assert request.transport is not None
            request.transport.close()
        return response


@pytest.fixture
def stats() -> FakeStats:
    return FakeStats()


@pytest.fixture
async def console(stats: FakeStats) -> AsyncGenerator[tuple[str, dict[str, str]]]:
    """The address of a console, and the headers of an operator who is signed in."""
    api = web.Application()
    api.router.add_get("/api/v1/exports/history.csv", stats.export)
    sessions, app = Sessions("a secret", timedelta(hours=1), NOW), FastAPI()
    async with TestServer(api) as server:
        url = str(server.make_url("")).rstrip("/")
        caches = PollingCaches(ConsoleSettings(ingress_url=url, stats_url=url), NOW)
        downloads.install(app, sessions, caches)
        auth.install(app, sessions, caches, secure=False)
        await caches.start()
        try:
            async with serving(app, send_buffer=4096) as address:
                yield address, {"Cookie": f"{COOKIE}={sessions.new_cookie('secret', 'Mona')}"}
        finally:
            await caches.stop()


async def test_a_whole_file_arrives_with_a_name(console: tuple[str, dict[str, str]]) -> None:
    address, headers = console
    async with httpx.AsyncClient(base_url=address, headers=headers) as http:
        file = await http.get(FILE)
    assert (file.status_code, file.content) == (200, PIECE)
    assert file.headers["content-disposition"] == 'attachment; filename="shop-history.csv"'


async def test_too_many_exports_are_explained_on_a_page(stats: FakeStats, console: tuple[str, dict[str, str]]) -> None:
    stats.too_many = True
    address, headers = console
    async with httpx.AsyncClient(base_url=address, headers=headers) as http:
        page = await http.get(FILE)
    assert (page.status_code, page.headers["retry-after"]) == (429, "30")
    assert page.headers["content-type"].startswith("text/html")
    for words in ("Too many exports run now", "already writes 8 exports", "in 30 s", "/packages/shop/reports"):
        assert words in page.text


async def test_a_file_that_breaks_off_is_an_error_in_the_browser(
    stats: FakeStats, console: tuple[str, dict[str, str]]
) -> None:
    stats.breaks = True
    address, headers = console
    async with httpx.AsyncClient(base_url=address, headers=headers) as http:
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
            await http.get(FILE)


async def test_a_browser_that_goes_away_ends_the_export_at_stats(
    stats: FakeStats, console: tuple[str, dict[str, str]]
) -> None:
    stats.endless = True
    address, headers = console
    with contextlib.closing(SlowReader(address, FILE, headers)) as browser:
        assert await browser.start() == b"H"
    async with asyncio.timeout(30):
        await stats.has_left.wait()


async def test_a_file_name_comes_only_from_a_valid_package(console: tuple[str, dict[str, str]]) -> None:
    address, headers = console
    async with httpx.AsyncClient(base_url=address, headers=headers) as http:
        file = await http.get("/downloads/history.csv", params={"package_id": 'x"\r\nSet-Cookie: a=b'})
    assert file.headers["content-disposition"] == 'attachment; filename="history.csv"'
