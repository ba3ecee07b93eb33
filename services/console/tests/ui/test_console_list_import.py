"""List import: the operator sees which column is taken, and what is dialled, before anything is sent."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from nicegui import Client, core, ui
from openpyxl import Workbook

from console.data.polling_cache import PollingCaches
from console.data.sessions import Sessions
from console.settings import ConsoleSettings
from console.ui.list_import import ListImport
from console.ui.live_page import LivePage
from console.ui.page_context import PACKAGES, PageContext
from console.ui.uploads import UploadFields
from spreader.testing import ManualClock

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ADDRESS = "/packages/shop/suppressions"
REPORT = {
    "rows": 2,
    "added": 1,
    "already": 0,
    "wrong": 1,
    "errors": [{"line": 3, "detail": "it is empty"}],
    "warnings": [{"detail": "check them", "count": 1, "samples": [{"number": "2019", "detail": "too short"}]}],
}


@dataclass
class FakeIngress:
    imports: list[tuple[str, bytes]] = field(default_factory=list[tuple[str, bytes]])

    async def packages(self, request: web.Request) -> web.Response:
        package = {"package_id": "shop", "name": "Shop", "default_country": "EG"}
        return web.json_response({"data": [package], "next_cursor": None})

    async def receive(self, request: web.Request) -> web.Response:
        self.imports.append((request.query["column"], await request.read()))
        return web.json_response(REPORT)


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@dataclass
class OpenImport:
    client: Client
    list_import: ListImport

    async def load(self, path: Path) -> None:
        with self.client:
            await self.list_import.load(path.name, path)

    async def press_import(self) -> None:
        with self.client:
            await self.list_import.send()

    @property
    def column(self) -> Any:
        return next((each for each in self.client.elements.values() if each.props.get("data-testid") == "column"), None)

    @property
    def texts(self) -> str:
        return " ".join(each.content for each in self.client.elements.values() if isinstance(each, ui.html))


@pytest.fixture
def ingress() -> FakeIngress:
    return FakeIngress()


@pytest.fixture
async def opened(ingress: FakeIngress) -> AsyncGenerator[OpenImport]:
    app = web.Application()
    app.router.add_get("/api/v1/packages", ingress.packages)
    app.router.add_post(f"/api/v1{ADDRESS}/import", ingress.receive)
    server = TestServer(app)
    await server.start_server()
    url, clock = str(server.make_url("")).rstrip("/"), ManualClock(NOON)
    caches = PollingCaches(ConsoleSettings(ingress_url=url, stats_url=url), clock)
    await caches.start()
    sessions = Sessions("a secret", timedelta(hours=1), clock)
    session = sessions.read(sessions.new_cookie("secret", "Mona"))
    assert session is not None
    context = PageContext(session, sessions, caches.get("secret", "Mona"), clock, clock, UploadFields())
    core.loop = asyncio.get_running_loop()
    client = Client(ui.page("/import"), request=None)
    with client:
        await context.cache.load(PACKAGES)
        list_import = ListImport(LivePage(context), "shop", ADDRESS, "list")
        list_import.build()
    yield OpenImport(client, list_import)
    client.delete()
    await caches.stop()
    await server.close()


async def test_the_column_is_shown_with_its_numbers_and_can_be_changed(
    opened: OpenImport, ingress: FakeIngress, tmp_path: Path
) -> None:
    book = Workbook()
    for row in (["Record", "Office", "Home"], [1, "01001234567", "01001234568"]):
        book.worksheets[0].append(row)
    book.save(tmp_path / "gone.xlsx")
    content = (tmp_path / "gone.xlsx").read_bytes()
    await opened.load(tmp_path / "gone.xlsx")
    assert list(opened.column.options.values()) == ["Record", "Office (201001234567, …)", "Home (201001234568, …)"]
    assert "Several columns may be meant" in opened.texts
    assert ingress.imports == []
    opened.column.set_value(2)
    await opened.press_import()
    assert ingress.imports == [("3", content)]
    assert "2 rows: 1 added, 0 already there, 1 wrong." in opened.texts
    assert "1 × check them: 2019 (too short)" in opened.texts
    assert opened.column is None
    assert names_in(tmp_path) == []


async def test_an_unreadable_file_is_not_sent(opened: OpenImport, ingress: FakeIngress, tmp_path: Path) -> None:
    (tmp_path / "gone.csv").write_bytes(b"%PDF-1.7")
    await opened.load(tmp_path / "gone.csv")
    assert "neither a CSV nor an XLSX" in opened.texts
    await opened.press_import()
    assert ingress.imports == []
    assert names_in(tmp_path) == []
