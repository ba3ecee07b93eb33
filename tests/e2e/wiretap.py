"""Wiretap: a proxy in front of a gateway that forwards every request unchanged and records it."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from local.process.ports import HOST

HOP_BY_HOP = frozenset({"connection", "content-length", "host", "transfer-encoding", "content-encoding"})
BODY_BYTES_MAX = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    method: str
    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


@dataclass
class Wiretap:
    gateway: str
    """The URL of the gateway."""
    requests: list[RecordedRequest] = field(default_factory=list[RecordedRequest])
    address: str = ""

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        self.requests.append(RecordedRequest(request.method, request.path, dict(request.headers), raw))
        session = request.app[SESSION]
        async with session.request(request.method, f"{self.gateway}{request.path_qs}", data=raw, headers=headers) as it:
            kept = {name: value for name, value in it.headers.items() if name.lower() not in HOP_BY_HOP}
            return web.Response(status=it.status, body=await it.read(), headers=kept)

    def application(self) -> web.Application:
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        app.router.add_route("*", "/{rest:.*}", self._forward)
        return app


SESSION = web.AppKey("session", aiohttp.ClientSession)


@asynccontextmanager
async def wiretap(gateway: str) -> AsyncGenerator[Wiretap]:
    tap = Wiretap(gateway)
    app = tap.application()
    async with aiohttp.ClientSession() as session:
        app[SESSION] = session
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            site = web.TCPSite(runner, HOST, 0)
            await site.start()
            tap.address = f"http://{HOST}:{runner.addresses[0][1]}"
            yield tap
        finally:
            await runner.cleanup()
