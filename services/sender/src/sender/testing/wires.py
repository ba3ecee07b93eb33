"""Wire: a gateway of another's making on a free port, that writes down what it is asked and answers as it is told."""

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
class Asked:
    """A request as it came. `form`: the fields of a form, files as their bytes."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any = None
    form: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Says:
    """`after`: the answer is held back until then."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    after: asyncio.Event | None = None


@dataclass(frozen=True, slots=True)
class HangsUp:
    """The connection ends without an answer."""


Answer = Says | HangsUp
WAMID = "wamid.HBgLMTY1MDU1NTEyMzQVAgARGBI"
BAILEYS = {"key": {"remoteJid": "1@s.whatsapp.net", "fromMe": True, "id": "3EB0AB12"}, "status": 1}


def usual(asked: Asked) -> Says:
    """What each gateway answers when all is well."""
    path = asked.path
    if path.endswith("/messages"):
        return Says(200, {"messaging_product": "whatsapp", "messages": [{"id": WAMID, "message_status": "accepted"}]})
    if path.endswith("/media"):
        return Says(200, {"id": "4490709327384033"})
    if "?fields=" in path:
        return Says(200, {"id": "106540352242922", "quality_rating": "GREEN", "status": "CONNECTED"})
    if path.startswith("/api/sessions/"):
        return Says(200, {"name": "default", "status": "WORKING"})
    if path.startswith("/api/contacts/check-exists"):
        return Says(200, {"numberExists": True, "chatId": "1@c.us"})
    if path.startswith("/instance/connectionState/"):
        return Says(200, {"instance": {"instanceName": "shop 1", "state": "open"}})
    if path.startswith("/chat/whatsappNumbers/"):
        return Says(200, [{"jid": "1@s.whatsapp.net", "exists": True, "number": "1"}])
    return Says(201, BAILEYS)


@dataclass
class Wire:
    """`script`: the answers to come, in turn; then all is well."""

    script: list[Answer] = field(default_factory=list[Answer])
    asked: list[Asked] = field(default_factory=list[Asked])
    usually: Callable[[Asked], Says] = usual
    base_url: str = ""
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def sends(self) -> list[Asked]:
        """What would have reached a customer."""
        return [each for each in self.asked if each.method == "POST" and _reaches_a_customer(each.path)]

    def will(self, *answers: Answer) -> None:
        """The answers to come."""
        self.script = list(answers)

    async def until(self, satisfied: Callable[["Wire"], bool]) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: satisfied(self))

    async def on_request(self, request: web.Request) -> web.StreamResponse:
        asked = await _read(request)
        self.asked.append(asked)
        async with self._changed:
            self._changed.notify_all()
        answer = self.script.pop(0) if self.script else self.usually(asked)
        if isinstance(answer, HangsUp):
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        if answer.after is not None:
            await answer.after.wait()
        if answer.body is None:
            return web.Response(status=answer.status, headers=answer.headers)
        return web.json_response(answer.body, status=answer.status, headers=answer.headers)


def _reaches_a_customer(path: str) -> bool:
    return path.endswith("/messages") or path.startswith(("/api/send", "/message/"))


async def _read(request: web.Request) -> Asked:
    headers = dict(request.headers)
    if request.content_type == "multipart/form-data":
        posted = await request.post()
        form = {key: value.file.read() if isinstance(value, web.FileField) else value for key, value in posted.items()}
        return Asked(request.method, request.path_qs, headers, form=form)
    raw = await request.read()
    return Asked(request.method, request.path_qs, headers, json.loads(raw) if raw else None)


@asynccontextmanager
async def serve_wire(wire: Wire) -> AsyncGenerator[Wire]:
    app = web.Application(client_max_size=FILE_BYTES_MAX)
    app.router.add_route("*", "/{path:.*}", wire.on_request)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    wire.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield wire
    finally:
        await runner.cleanup()


def reached_through(driver: Driver, base_url: str, profile_id: str = "p1") -> Profile:
    """A profile at a gateway of this kind, with its credentials sealed by `KEYS`."""
    sealed = Vault(KEYS).seal(profile_id, SECRETS[driver])
    gateway = Gateway(driver=driver, base_url=base_url, account=ACCOUNT[driver], sealed=sealed)
    return Profile(profile_id=profile_id, name=profile_id, phone="201111111111", gateway=gateway)
