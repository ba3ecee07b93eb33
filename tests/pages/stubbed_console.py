"""Stubbed console: a console process in front of stub services, and a browser that looks at its pages.

Tests of what a person sees use it. They need no running system, so they take only a second each.
"""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from e2e.browser import DESK, Scheme
from playwright.async_api import Browser, ConsoleMessage, Locator, Page, expect

from local.process.ports import free_port
from spreader.clock import wall_now

KEY = "stub-key"
START_SECONDS = 60.0
WAIT_MILLISECONDS = 30_000

_INSIDE = """element => { const box = element.getBoundingClientRect();
    return box.x >= 0 && box.y >= 0 && box.right <= innerWidth && box.bottom <= innerHeight; }"""

Json = Any
_NO_ANSWER = {"code": "not-found", "title": "Not found", "detail": "The stub has no answer for this path."}


@dataclass(frozen=True)
class Answer:
    body: Json
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class ReceivedRequest:
    method: str
    path: str
    query: Mapping[str, str]
    body: Json
    headers: Mapping[str, str]


@dataclass
class StubServices:
    """Ingress and stats at once. A test sets the answers, and reads which requests the console sent."""

    answers: dict[tuple[str, str], Answer] = field(default_factory=dict[tuple[str, str], Answer])
    requests: list[ReceivedRequest] = field(default_factory=list[ReceivedRequest])

    def answer(self, method: str, path: str, body: Json, status: int = 200, **headers: str) -> None:
        """Answer such requests from now on. `path` has no query, except the cursor of a further page of a list."""
        self.answers[method, path] = Answer(body, status, headers)

    def lists(self, path: str, *rows: Json) -> None:
        """Answer with one page of a list. The list has no further page."""
        self.answer("GET", path, {"data": list(rows), "next_cursor": None})

    def sent(self, method: str, path: str) -> list[Json]:
        """The bodies of the requests that the console has sent to this path."""
        return [each.body for each in self.requests if (each.method, each.path) == (method, path)]

    def reset(self) -> None:
        """One package with one profile, and nothing else."""
        self.answers.clear()
        self.requests.clear()
        profile = {
            "profile_id": "demo-4",
            "package_id": "shop",
            "name": "Demo phone 4",
            "phone": "201005550004",
            "gateway": {"driver": "simulator", "account": "demo-4"},
            "webhook_url": "/api/v1/webhooks/simulator/shop/demo-4",
        }
        package = {
            "package_id": "shop",
            "name": "Demo",
            "timezone": "Africa/Cairo",
            "version": 1,
            "profile_ids": ["demo-4"],
            "profile_limits": {"per_hour": 45, "per_3_hours": 120, "per_day": 320},
        }
        self.lists("/packages", package)
        self.answer("GET", "/packages/shop", package, ETag='"1"')
        self.lists("/packages/shop/profiles", profile)
        self.answer("GET", "/packages/shop/profiles/demo-4", profile, ETag='"1"')
        self.lists("/alerts")
        self.lists("/profiles")
        self.answer("GET", "/packages/shop/queue", queue())

    async def respond(self, request: web.Request) -> web.Response:
        path = request.path.removeprefix("/api/v1")
        body = await request.json() if request.can_read_body else None
        self.requests.append(ReceivedRequest(request.method, path, dict(request.query), body, dict(request.headers)))
        cursor = request.query.get("cursor")
        place = f"{path}?cursor={cursor}" if cursor else path
        answer = self.answers.get((request.method, place), Answer(_NO_ANSWER, 404))
        return web.json_response(answer.body, status=answer.status, headers=answer.headers)


def queue(**changes: Json) -> Json:
    """The pacer's report on the package `shop`, in which nothing waits."""
    return {
        "package_id": "shop",
        "at": wall_now().isoformat(),
        "held": 0,
        "rush_over": 10,
        "profiles_in_rush": 0,
        "at_gateway": {"now": 0, "max": 10},
        "profiles": [],
        **changes,
    }


@dataclass(frozen=True)
class StubbedConsole:
    address: str
    services: StubServices


@asynccontextmanager
async def stubbed_console() -> AsyncGenerator[StubbedConsole]:
    services, app, port = StubServices(), web.Application(), free_port()
    services.reset()
    app.router.add_route("*", "/{path:.*}", services.respond)
    async with TestServer(app) as server:
        url = str(server.make_url("")).rstrip("/")
        settings = {"SPREADER_INGRESS_URL": url, "SPREADER_STATS_URL": url, "SPREADER_CONSOLE_POLL_SECONDS": "0.25"}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "console", env={**os.environ, **settings, "SPREADER_CONSOLE_PORT": str(port)}
        )
        try:
            address = f"http://127.0.0.1:{port}"
            await _wait_until_ready(f"{address}/sign-in")
            yield StubbedConsole(address, services)
        finally:
            process.kill()
            await process.wait()


async def _wait_until_ready(address: str) -> None:
    async with aiohttp.ClientSession() as session, asyncio.timeout(START_SECONDS):
        while True:
            try:
                async with session.get(address) as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)


@dataclass
class StubbedTab:
    """A tab of an operator who is signed in as Mona."""

    console: StubbedConsole
    page: Page
    errors: list[str] = field(default_factory=list[str])
    """What the page wrote to the browser's console as an error."""

    @property
    def services(self) -> StubServices:
        return self.console.services

    async def open(self, path: str) -> None:
        await self.page.goto(f"{self.console.address}{path}")
        await expect(self.page.locator("main h1")).to_be_visible()

    def by_test_id(self, name: str) -> Locator:
        return self.page.get_by_test_id(name)

    async def sees(self, locator: Locator) -> None:
        """Check that the element is visible, and that all of it is inside the window, once it has stopped moving."""
        await expect(locator).to_be_visible()
        await self.page.wait_for_function(_INSIDE, arg=await locator.element_handle())


@asynccontextmanager
async def stubbed_tab(
    browser: Browser, console: StubbedConsole, size: tuple[int, int] = DESK, scheme: Scheme = "light"
) -> AsyncGenerator[StubbedTab]:
    """Fails at the end if the page wrote an error to the browser's console."""
    context = await browser.new_context(
        color_scheme=scheme, viewport={"width": size[0], "height": size[1]}, reduced_motion="reduce"
    )
    context.set_default_timeout(WAIT_MILLISECONDS)
    expect.set_options(timeout=WAIT_MILLISECONDS)
    await context.request.post(f"{console.address}/sign-in", form={"key": KEY, "operator": "Mona"})
    page = await context.new_page()
    tab = StubbedTab(console, page)

    def record(message: ConsoleMessage) -> None:
        if message.type == "error":
            tab.errors.append(message.text)

    page.on("console", record)
    page.on("pageerror", lambda error: tab.errors.append(str(error)))
    try:
        yield tab
    finally:
        await context.close()
    assert tab.errors == []
