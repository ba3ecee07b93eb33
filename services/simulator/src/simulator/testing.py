"""Testing: a simulator inside a test, a caller of it, and a webhook; no production module imports this one."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import uvicorn
from aiohttp import web

from simulator.app import build
from simulator.settings import SimulatorSettings
from spreader.clock import Clock

DEADLINE_SECONDS = 30.0
POLL_SECONDS = 0.05

ACCOUNTS = {"cloud_api": "100", "waha": "default", "evolution": "shop"}
CREDENTIALS = {
    "cloud_api": {"access_token": "token-of-meta", "app_secret": "app-secret", "verify_token": "verify"},
    "waha": {"api_key": "key-of-waha", "hmac_key": "my-secret-key"},
    "evolution": {"api_key": "key-of-evolution", "webhook_token": "token-of-webhook"},
}
KEYS = {
    "cloud_api": {"Authorization": "Bearer token-of-meta"},
    "waha": {"X-Api-Key": "key-of-waha"},
    "evolution": {"apikey": "key-of-evolution"},
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What the simulator answered."""

    status: int
    body: Any
    headers: dict[str, str]


class Caller:
    """Talks to a simulator as a driver and a tester do."""

    def __init__(self, address: str, http: aiohttp.ClientSession) -> None:
        self.address = urlsplit(address)
        self._http = http

    async def ask(self, method: str, path: str, body: Any = None, keys: Mapping[str, str] | None = None) -> Reply:
        data = body if isinstance(body, bytes | aiohttp.FormData) else json.dumps(body).encode()
        headers = {} if isinstance(body, aiohttp.FormData) else {"Content-Type": "application/json"}
        async with self._http.request(method, path, data=data, headers={**headers, **(keys or {})}) as answer:
            return Reply(answer.status, await answer.json(), dict(answer.headers))

    async def register(self, webhook_url: str = "http://127.0.0.1:1/away", account: str = "acc_1") -> None:
        body = {"profile_id": "prf_1", "package_id": "pkg_1", "webhook_url": webhook_url}
        reply = await self.ask("PUT", f"/profiles/{account}", body)
        assert reply.status == 200, reply

    async def send(self, delivery_id: str = "dlv_1", to: str = "201001234567", **content: Any) -> Reply:
        content = content or {"type": "text", "text": "Hello!"}
        return await self.ask("POST", "/profiles/acc_1/messages", {"delivery_id": delivery_id, "to": to, **content})

    async def set_up(self, driver: str, webhook_url: str = "http://127.0.0.1:1/away", **more: Any) -> None:
        """Register an account of the gateway, as its operator would."""
        body = {
            "profile_id": f"prf_{driver}",
            "package_id": "pkg_1",
            "phone": "15550783881",
            "credentials": CREDENTIALS[driver],
            "webhook_url": webhook_url,
            **more,
        }
        reply = await self.ask("PUT", f"/accounts/{driver}/{ACCOUNTS[driver]}", body)
        assert reply.status == 200, reply

    async def call(self, driver: str, method: str, path: str, body: Any = None) -> Reply:
        """Ask with the keys of the account."""
        return await self.ask(method, path, body, KEYS[driver])

    async def send_over(self, driver: str, to: str, method: str = "", **fields: Any) -> Reply:
        """A send over a gateway's own wire, with the fields that every send has there."""
        account = ACCOUNTS[driver]
        match driver:
            case "cloud_api":
                common = {"messaging_product": "whatsapp", "recipient_type": "individual", "to": to}
                return await self.call(driver, "POST", f"/cloud/v23.0/{account}/messages", {**common, **fields})
            case "waha":
                common = {"session": account, "chatId": f"{to}@c.us"}
                return await self.call(driver, "POST", f"/waha/api/{method}", {**common, **fields})
            case _:
                path = f"/evolution/message/{method}/{account}"
                return await self.call(driver, "POST", path, {"number": to, **fields})

    async def say(self, driver: str, to: str = "201001234567", text: str = "Hi", **more: Any) -> Reply:
        """A text over any wire."""
        if driver == "cloud_api":
            return await self.send_over(driver, to, type="text", text={"body": text}, **more)
        return await self.send_over(driver, to, "sendText", text=text, **more)

    async def fault(self, **fault: Any) -> str:
        reply = await self.ask("POST", "/faults", fault)
        assert reply.status == 201, reply
        return str(reply.body["id"])

    async def ledger(self, after: int = 0) -> list[dict[str, Any]]:
        async with self._http.get("/ledger", params={"after": after}) as answer:
            return [json.loads(line) for line in (await answer.text()).splitlines()]

    async def text(self, path: str) -> str:
        async with self._http.get(path) as answer:
            return await answer.text()

    async def until(self, path: str, holds: Callable[[Any], bool]) -> None:
        """Ask until what is answered holds; a process that does not listen yet is asked again."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not await self._finds(path, holds):
                pass

    async def _finds(self, path: str, holds: Callable[[Any], bool]) -> bool:
        try:
            return holds((await self.ask("GET", path)).body)
        except aiohttp.ClientConnectionError:
            await asyncio.sleep(POLL_SECONDS)
            return False


@contextlib.asynccontextmanager
async def calling(address: str) -> AsyncGenerator[Caller]:
    async with aiohttp.ClientSession(address) as http:
        yield Caller(address, http)


@contextlib.asynccontextmanager
async def listening(home: Path, clock: Clock | None = None, **settings: Any) -> AsyncGenerator[Caller]:
    """A simulator on a socket of its own, ready or not; `settings` without their `simulator_`."""
    chosen = {f"simulator_{name}": value for name, value in settings.items()}
    app = build(SimulatorSettings(simulator_home=home, **chosen), clock or Clock())
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none", timeout_graceful_shutdown=1))
    # The protocol is named because asyncio turns Nagle's delay off only where it is: 40 ms an answer otherwise.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as bound:
        bound.bind(("127.0.0.1", 0))
        serve = asyncio.create_task(server.serve([bound]))
        try:
            async with calling(f"http://127.0.0.1:{bound.getsockname()[1]}") as caller:
                yield caller
        finally:
            server.should_exit = True
            await serve


@contextlib.asynccontextmanager
async def serving(home: Path, clock: Clock | None = None, **settings: Any) -> AsyncGenerator[Caller]:
    """A simulator that is ready."""
    async with listening(home, clock, **settings) as caller:
        await caller.until("/health/ready", lambda found: found["status"] == "ready")
        yield caller


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a webhook as it came in."""

    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


@dataclass
class Webhook:
    """A webhook that refuses as often as it is told, then takes all; it keeps both."""

    refusals: int = 0
    status: int = 503
    calls: list[Call] = field(default_factory=list)
    taken: list[dict[str, Any]] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, holds: Callable[["Webhook"], bool]) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not holds(self):
                self._changed.clear()
                await self._changed.wait()

    async def on_call(self, request: web.Request) -> web.Response:
        refuses = len(self.refused) < self.refusals
        call = Call(dict(request.headers), await request.read())
        self.calls.append(call)
        (self.refused if refuses else self.taken).append(call.body)
        self._changed.set()
        return web.Response(status=self.status if refuses else 204)

    async def on_question(self, request: web.Request) -> web.Response:
        """Meta asks: whoever knows the word repeats the number."""
        if request.query.get("hub.verify_token") != CREDENTIALS["cloud_api"]["verify_token"]:
            return web.Response(status=403)
        return web.Response(text=request.query["hub.challenge"])


@contextlib.asynccontextmanager
async def webhook(refusals: int = 0, status: int = 503) -> AsyncGenerator[Webhook]:
    hook = Webhook(refusals, status)
    app = web.Application()
    app.router.add_post("/hook", hook.on_call)
    app.router.add_get("/hook", hook.on_question)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    hook.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield hook
    finally:
        await runner.cleanup()
