"""Testing: a page without a browser, and services that answer as a test says."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from nicegui import Client, core, ui

from console.data.polling_cache import PollingCaches
from console.data.sessions import Sessions
from console.settings import ConsoleSettings
from console.ui.live_page import LivePage
from console.ui.page_context import PageContext
from console.ui.uploads import UploadFields
from spreader.testing import ManualClock

Answer = tuple[int, Any]


@dataclass
class FakeServices:
    """Ingress and stats. `answers`: the answer to each method and path, such as `POST /packages`."""

    answers: dict[str, Answer | Callable[[Any], Answer]] = field(default_factory=dict[str, Any])
    calls: list[tuple[str, Any]] = field(default_factory=list[tuple[str, Any]])
    """The method and path of each call that changes something, and its body."""

    async def handle(self, request: web.Request) -> web.Response:
        name = f"{request.method} {request.path.removeprefix('/api/v1')}"
        body = await request.json() if request.can_read_body and request.method != "GET" else None
        if request.method != "GET":
            self.calls.append((name, body))
        answer = self.answers.get(name, (404, {"code": "not-found", "detail": f"no answer to {name}"}))
        status, content = answer(body) if callable(answer) else answer
        headers = {"ETag": '"1"'} if name.startswith("GET /packages/") else {}
        return web.json_response(content, status=status, headers=headers) if status != 204 else web.Response(status=204)


@dataclass
class OpenPage:
    """A page as an operator has it open."""

    client: Client
    page: LivePage
    services: FakeServices

    @property
    def context(self) -> PageContext:
        return self.page.context

    @property
    def texts(self) -> str:
        return " ".join(each.content for each in self.client.elements.values() if isinstance(each, ui.html))

    def element(self, testid: str) -> Any:
        found = [each for each in self.client.elements.values() if each.props.get("data-testid") == testid]
        assert found, f"no element {testid}"
        return found[-1]

    def fill(self, testid: str, text: Any) -> None:
        with self.client:
            self.element(testid).set_value(text)

    def press(self, testid: str) -> None:
        """Press a button. Its handler may still run when this returns."""
        (listener,) = [each for each in self.element(testid)._event_listeners.values() if each.type == "click"]
        listener.handler({})

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not holds():
                await self.tick()
                await asyncio.sleep(0.005)

    async def tick(self) -> None:
        """Run the timers of the page once, as a browser would from time to time."""
        for timer in [each for each in self.client.elements.values() if isinstance(each, ui.timer) and each.active]:
            with timer.parent_slot or self.client:
                result = timer.callback() if timer.callback else None
                if asyncio.iscoroutine(result):
                    await result

    async def until_text(self, words: str) -> None:
        await self.until(lambda: words in self.texts)

    async def answer(self, testid: str = "confirm") -> None:
        """Wait for a dialog, and press one of its buttons."""
        await self.until(lambda: self.has(testid))
        self.press(testid)
        await self.until(lambda: not self.has(testid))

    def has(self, testid: str) -> bool:
        return any(each.props.get("data-testid") == testid for each in self.client.elements.values())


@asynccontextmanager
async def open_page(services: FakeServices, now: datetime) -> AsyncGenerator[OpenPage]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", services.handle)
    server = TestServer(app)
    await server.start_server()
    url, clock = str(server.make_url("")).rstrip("/"), ManualClock(now)
    caches = PollingCaches(ConsoleSettings(ingress_url=url, stats_url=url), clock)
    await caches.start()
    sessions = Sessions("a secret", timedelta(hours=1), clock)
    session = sessions.read(sessions.new_cookie("secret", "Mona"))
    assert session is not None
    context = PageContext(session, sessions, caches.get("secret", "Mona"), clock, clock, UploadFields())
    core.loop = asyncio.get_running_loop()
    client = Client(ui.page("/page"), request=None)
    with client:
        page = LivePage(context)
    yield OpenPage(client, page, services)
    client.delete()
    await caches.stop()
    await server.close()
