"""Testing: a running simulator, a client for it, and a fake webhook. Only tests may import this module."""

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
    """A response of the simulator."""

    status: int
    body: Any
    headers: dict[str, str]


class SimulatorClient:
    """Sends requests to a simulator, as drivers and testers do."""

    def __init__(self, address: str, http: aiohttp.ClientSession) -> None:
        self.address = urlsplit(address)
        self._http = http

    async def request(self, method: str, path: str, body: Any = None, keys: Mapping[str, str] | None = None) -> Reply:
        data = body if isinstance(body, bytes | aiohttp.FormData) else json.dumps(body).encode()
        headers = {} if isinstance(body, aiohttp.FormData) else {"Content-Type": "application/json"}
        async with self._http.request(method, path, data=data, headers={**headers, **(keys or {})}) as answer:
            return Reply(answer.status, await answer.json(), dict(answer.headers))

    async def register(self, webhook_url: str = "http://127.0.0.1:1/away", account: str = "acc_1") -> None:
        body = {"profile_id": "prf_1", "package_id": "pkg_1", "webhook_url": webhook_url}
        reply = await self.request("PUT", f"/profiles/{account}", body)
        assert reply.status == 200, reply

    async def send(self, delivery_id: str = "dlv_1", to: str = "201001234567", **content: Any) -> Reply:
        content = content or {"type": "text", "text": "Hello!"}
        return await self.request("POST", "/profiles/acc_1/messages", {"delivery_id": delivery_id, "to": to, **content})

    async def register_account(self, driver: str, webhook_url: str = "http://127.0.0.1:1/away", **more: Any) -> None:
        """Register an account of a simulated gateway, as the operator of a real gateway does."""
        body = {
            "profile_id": f"prf_{driver}",
            "package_id": "pkg_1",
            "phone": "15550783881",
            "credentials": CREDENTIALS[driver],
            "webhook_url": webhook_url,
            **more,
        }
        reply = await self.request("PUT", f"/accounts/{driver}/{ACCOUNTS[driver]}", body)
        assert reply.status == 200, reply

    async def call_with_key(self, driver: str, method: str, path: str, body: Any = None) -> Reply:
        """Send a request with the account's credentials."""
        return await self.request(method, path, body, KEYS[driver])

    async def send_over(self, driver: str, to: str, method: str = "", **fields: Any) -> Reply:
        """Send a message over a gateway's own API. The fields that this API always needs are added."""
        account = ACCOUNTS[driver]
        match driver:
            case "cloud_api":
                common = {"messaging_product": "whatsapp", "recipient_type": "individual", "to": to}
                return await self.call_with_key(
                    driver, "POST", f"/cloud/v23.0/{account}/messages", {**common, **fields}
                )
            case "waha":
                common = {"session": account, "chatId": f"{to}@c.us"}
                return await self.call_with_key(driver, "POST", f"/waha/api/{method}", {**common, **fields})
            case _:
                path = f"/evolution/message/{method}/{account}"
                return await self.call_with_key(driver, "POST", path, {"number": to, **fields})

    async def send_text(self, driver: str, to: str = "201001234567", text: str = "Hi", **more: Any) -> Reply:
        """Send a text message over a gateway of any kind."""
        if driver == "cloud_api":
            return await self.send_over(driver, to, type="text", text={"body": text}, **more)
        return await self.send_over(driver, to, "sendText", text=text, **more)

    async def fault(self, **fault: Any) -> str:
        reply = await self.request("POST", "/faults", fault)
        assert reply.status == 201, reply
        return str(reply.body["id"])

    async def ledger(self, after: int = 0) -> list[dict[str, Any]]:
        async with self._http.get("/ledger", params={"after": after}) as answer:
            return [json.loads(line) for line in (await answer.text()).splitlines()]

    async def text(self, path: str) -> str:
        async with self._http.get(path) as answer:
            return await answer.text()

    async def wait_until(self, path: str, holds: Callable[[Any], bool]) -> None:
        """GET `path` again and again until `holds` returns true for the body of the response.

        While the simulator refuses connections, the request is repeated too.
        """
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not await self._holds(path, holds):
                pass  # `_holds` waits before it returns false

    async def _holds(self, path: str, holds: Callable[[Any], bool]) -> bool:
        with contextlib.suppress(aiohttp.ClientConnectionError):
            if holds((await self.request("GET", path)).body):
                return True
        await asyncio.sleep(POLL_SECONDS)
        return False


@contextlib.asynccontextmanager
async def simulator_client(address: str) -> AsyncGenerator[SimulatorClient]:
    async with aiohttp.ClientSession(address) as http:
        yield SimulatorClient(address, http)


@contextlib.asynccontextmanager
async def started_simulator(home: Path, clock: Clock | None = None, **settings: Any) -> AsyncGenerator[SimulatorClient]:
    """A simulator on its own port. It may not be ready yet. Name the `settings` without the prefix `simulator_`."""
    chosen = {f"simulator_{name}": value for name, value in settings.items()}
    app = build(SimulatorSettings(simulator_home=home, **chosen), clock or Clock())
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none", timeout_graceful_shutdown=1))
    # IPPROTO_TCP must be named. Without it asyncio does not set TCP_NODELAY, and each response takes 40 ms longer.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as bound:
        bound.bind(("127.0.0.1", 0))
        serve = asyncio.create_task(server.serve([bound]))
        try:
            async with simulator_client(f"http://127.0.0.1:{bound.getsockname()[1]}") as caller:
                yield caller
        finally:
            server.should_exit = True
            await serve


@contextlib.asynccontextmanager
async def running_simulator(home: Path, clock: Clock | None = None, **settings: Any) -> AsyncGenerator[SimulatorClient]:
    """A simulator that is ready."""
    async with started_simulator(home, clock, **settings) as caller:
        await caller.wait_until("/health/ready", lambda health: health["status"] == "ready")
        yield caller


@dataclass(frozen=True, slots=True)
class ReceivedCall:
    """A webhook call with its headers and its unchanged body."""

    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


@dataclass
class FakeWebhook:
    """A webhook that refuses the first `refusals` calls and accepts all later ones. It records all calls."""

    refusals: int = 0
    status: int = 503
    calls: list[ReceivedCall] = field(default_factory=list)
    accepted: list[dict[str, Any]] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait_until(self, holds: Callable[["FakeWebhook"], bool]) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not holds(self):
                self._changed.clear()
                await self._changed.wait()

    async def on_call(self, request: web.Request) -> web.Response:
        refuses = len(self.refused) < self.refusals
        call = ReceivedCall(dict(request.headers), await request.read())
        self.calls.append(call)
        (self.refused if refuses else self.accepted).append(call.body)
        self._changed.set()
        return web.Response(status=self.status if refuses else 204)

    async def on_verification(self, request: web.Request) -> web.Response:
        """Answer Meta's verification request. If its token is right, return its challenge."""
        if request.query.get("hub.verify_token") != CREDENTIALS["cloud_api"]["verify_token"]:
            return web.Response(status=403)
        return web.Response(text=request.query["hub.challenge"])


@contextlib.asynccontextmanager
async def fake_webhook(refusals: int = 0, status: int = 503) -> AsyncGenerator[FakeWebhook]:
    hook = FakeWebhook(refusals, status)
    app = web.Application()
    app.router.add_post("/hook", hook.on_call)
    app.router.add_get("/hook", hook.on_verification)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    hook.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield hook
    finally:
        await runner.cleanup()
