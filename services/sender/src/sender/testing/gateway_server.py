"""Gateway server: a real gateway's HTTP API on a free port. It records the requests and returns scripted responses."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from spreader.contract.configuration import Driver, Gateway, Profile
from spreader.vault import Vault, new_key

KEYS = new_key()
SECRETS: Mapping[Driver, Mapping[str, str]] = {
    "cloud_api": {
        "access_token": "EAAGm0PX4ZCpsBAKZCYZBLjZCZA9ZBsecret",
        "app_secret": "secret-app",
        "verify_token": "secret-verify",
    },
    "waha": {"api_key": "secret-waha-key", "hmac_key": "secret-hmac"},
    "evolution": {"api_key": "secret-evolution-key", "webhook_token": "secret-webhook"},
}
ACCOUNT: Mapping[Driver, str] = {"cloud_api": "106540352242922", "waha": "default", "evolution": "shop 1"}
FILE_BYTES_MAX = 200 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request that arrived. `form`: the fields of a form, with files as their bytes. `files`: the name and the type
    of each file."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any = None
    form: Mapping[str, Any] = field(default_factory=dict[str, Any])
    files: Mapping[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])


@dataclass(frozen=True, slots=True)
class Respond:
    """A response; it waits until `after` is set, if there is one."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    after: asyncio.Event | None = None
    raw: bytes | None = None
    """The body as bytes, instead of JSON."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """Ends the connection without a response."""


ScriptedAnswer = Respond | HangUp
WAMID = "wamid.HBgLMTY1MDU1NTEyMzQVAgARGBI"
BAILEYS = {"key": {"remoteJid": "1@s.whatsapp.net", "fromMe": True, "id": "3EB0AB12"}, "status": 1}


def default_response(request: RecordedRequest) -> Respond:
    """What each gateway responds when all is well."""
    path = request.path
    if path.endswith("/messages"):
        messages = [{"id": WAMID, "message_status": "accepted"}]
        return Respond(200, {"messaging_product": "whatsapp", "messages": messages})
    if path.endswith("/media"):
        return Respond(200, {"id": "4490709327384033"})
    if "?fields=" in path:
        return Respond(200, {"id": "106540352242922", "quality_rating": "GREEN", "status": "CONNECTED"})
    if path.startswith("/api/sessions/"):
        return Respond(200, {"name": "default", "status": "WORKING"})
    if path.startswith("/api/contacts/check-exists"):
        return Respond(200, {"numberExists": True, "chatId": "1@c.us"})
    if path.startswith("/instance/connectionState/"):
        return Respond(200, {"instance": {"instanceName": "shop 1", "state": "open"}})
    if path.startswith("/chat/whatsappNumbers/"):
        return Respond(200, [{"jid": "1@s.whatsapp.net", "exists": True, "number": "1"}])
    return Respond(201, BAILEYS)


@dataclass
class GatewayServer:
    """Gives the answers in `script`, one for each request, and after them those of `default`."""

    script: list[ScriptedAnswer] = field(default_factory=list[ScriptedAnswer])
    requests: list[RecordedRequest] = field(default_factory=list[RecordedRequest])
    default: Callable[[RecordedRequest], Respond] = default_response
    base_url: str = ""
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def sends(self) -> list[RecordedRequest]:
        """The requests that would have reached a customer."""
        return [request for request in self.requests if request.method == "POST" and _reaches_a_customer(request.path)]

    def will(self, *answers: ScriptedAnswer) -> None:
        """Sets the next responses."""
        self.script = list(answers)

    async def until(self, satisfied: Callable[["GatewayServer"], bool]) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: satisfied(self))

    async def on_request(self, request: web.Request) -> web.StreamResponse:
        recorded = await _record(request)
        self.requests.append(recorded)
        async with self._changed:
            self._changed.notify_all()
        answer = self.script.pop(0) if self.script else self.default(recorded)
        if isinstance(answer, HangUp):
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        if answer.after is not None:
            await answer.after.wait()
        if answer.raw is not None:
            return web.Response(body=answer.raw, status=answer.status, content_type="image/png")
        if answer.body is None:
            return web.Response(status=answer.status, headers=answer.headers)
        return web.json_response(answer.body, status=answer.status, headers=answer.headers)


def _reaches_a_customer(path: str) -> bool:
    return path.endswith("/messages") or path.startswith(("/api/send", "/message/"))


async def _record(request: web.Request) -> RecordedRequest:
    headers = dict(request.headers)
    if request.content_type == "multipart/form-data":
        posted = await request.post()
        form = {key: value.file.read() if isinstance(value, web.FileField) else value for key, value in posted.items()}
        files = {
            key: (value.filename, value.headers["Content-Type"])
            for key, value in posted.items()
            if isinstance(value, web.FileField)
        }
        return RecordedRequest(request.method, request.path_qs, headers, form=form, files=files)
    raw = await request.read()
    return RecordedRequest(request.method, request.path_qs, headers, json.loads(raw) if raw else None)


@asynccontextmanager
async def serve_gateway(server: GatewayServer) -> AsyncGenerator[GatewayServer]:
    app = web.Application(client_max_size=FILE_BYTES_MAX)
    app.router.add_route("*", "/{path:.*}", server.on_request)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()


def profile_at(driver: Driver, base_url: str, profile_id: str = "p1") -> Profile:
    """A profile at this kind of gateway, with its credentials sealed by `KEYS`."""
    sealed = Vault(KEYS).seal(profile_id, SECRETS[driver])
    gateway = Gateway(driver=driver, base_url=base_url, account=ACCOUNT[driver], sealed=sealed)
    return Profile(profile_id=profile_id, name=profile_id, phone="201111111111", gateway=gateway)
