"""Client: the one way to gateways: pooled connections, a time-out for each phase, a breaker for each host.

What went wrong is a value: `Away` was surely not reached, `Silent` may have got the request. No error's text is kept:
it may hold an address with credentials.
"""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aiohttp
from aiohttp.typedefs import LooseHeaders
from yarl import URL

from sender.core.circuit_breaker import Breaker, Patience
from sender.metrics import BREAKER_REFUSALS, BREAKERS_OPEN

KEEP_ALIVE_SECONDS = 4.0  # Node, under WAHA and Evolution, ends idle connections after 5 s: we must be the first
ANSWER_BYTES_MAX = 1024 * 1024
RETRY_AFTER_MAX = timedelta(hours=1)
BREAKERS_MAX = 10_000
PROXY_STATUSES = frozenset({502, 503, 504})  # a proxy's, for a gateway that is not there


@dataclass(frozen=True, slots=True)
class Timeouts:
    """`connect`: until the connection stands, TLS included; `call`: all phases together."""

    connect_seconds: float
    call_seconds: float


@dataclass(frozen=True, slots=True)
class Replied:
    """The gateway answered. `body`: the JSON in it; None where there is none."""

    status: int
    body: Any
    text: str
    retry_after: timedelta | None = None
    usage: str | None = None
    """Meta's own word on how much of our share of calls is used."""


@dataclass(frozen=True, slots=True)
class Away:
    """The request was surely not written."""

    detail: str
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Silent:
    """The request was written, and no answer came."""

    detail: str


Reply = Replied | Away | Silent


@dataclass(frozen=True, slots=True)
class Call:
    method: str
    url: str
    headers: Mapping[str, str]
    json: Any = None
    data: Any = None
    """A body that is no JSON, such as a form with a file."""
    seconds: float | None = None
    """All phases together, where it may take longer than a usual call."""


class Client:
    """A part. Redirects are not followed: a POST would be repeated, and a key would travel with it."""

    def __init__(self, name: str, connections: int, timeouts: Timeouts, patience: Patience | None = None) -> None:
        self.name = name
        self._connections = connections
        self._timeouts = timeouts
        self._patience = patience or Patience()
        self._breakers: dict[str, Breaker] = {}
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=KEEP_ALIVE_SECONDS),
            timeout=aiohttp.ClientTimeout(total=None, connect=self._timeouts.connect_seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def stop(self) -> None:
        if self._session is not None:
            await self._session.close()

    def not_ready_reason(self) -> str | None:
        return None  # a gateway that is away is no reason not to send through the others

    def is_live(self) -> bool:
        return True

    async def call(self, call: Call) -> Reply:
        host = host_of(call.url)
        if host is None:
            return Away("the gateway's address cannot be read")
        breaker = self._breakers.get(host) or Breaker(self._patience)
        pause = breaker.remaining(time.monotonic())
        if pause:
            BREAKER_REFUSALS.inc()
            return Away(f"the gateway at {host} did not answer and is let alone for a while", pause)
        self._keep(host, breaker.called(time.monotonic()))
        reply = await self._reach(call, host)
        self._note(host, reply, probe=breaker.is_open)
        return reply

    async def _reach(self, call: Call, host: str) -> Reply:
        seconds = call.seconds or self._timeouts.call_seconds
        try:
            async with asyncio.timeout(seconds):
                return await self._exchange(call)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
            return Away(f"the gateway at {host} cannot be reached: {type(error).__name__}")
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            return Silent(f"no answer from the gateway at {host} after the request was written: {type(error).__name__}")

    async def _exchange(self, call: Call) -> Replied:
        assert self._session is not None, "a client that is not started was asked to call"
        headers: LooseHeaders = dict(call.headers)
        async with self._session.request(
            call.method, call.url, headers=headers, json=call.json, data=call.data, allow_redirects=False
        ) as response:
            raw = await response.content.read(ANSWER_BYTES_MAX)
            while not response.content.at_eof() and len(raw) < ANSWER_BYTES_MAX:
                raw += await response.content.read(ANSWER_BYTES_MAX - len(raw))
            text = raw.decode(errors="replace")
            usage = response.headers.get("x-business-use-case-usage")
            return Replied(response.status, _json(text), text, _retry_after(response), usage)

    def _note(self, host: str, reply: Reply, probe: bool) -> None:
        breaker = self._breakers.get(host) or Breaker(self._patience)
        answered = isinstance(reply, Replied) and not (reply.status in PROXY_STATUSES and reply.body is None)
        self._keep(host, breaker.answered() if answered else breaker.silent(time.monotonic(), probe))

    def _keep(self, host: str, breaker: Breaker) -> None:
        """Only hosts that failed are kept: the others are as if never called."""
        if breaker == Breaker(self._patience):
            self._breakers.pop(host, None)
        elif host in self._breakers or len(self._breakers) < BREAKERS_MAX:
            self._breakers[host] = breaker
        BREAKERS_OPEN.labels(self.name).set(sum(each.is_open for each in self._breakers.values()))


def host_of(url: str) -> str | None:
    """Scheme, name and port, without anybody's password; None where there is no such thing in it."""
    try:
        address = URL(url)
        return str(address.origin()) if address.host else None
    except ValueError:
        return None


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _retry_after(response: aiohttp.ClientResponse) -> timedelta | None:
    seconds = response.headers.get("Retry-After", "")
    return min(timedelta(seconds=int(seconds[:9])), RETRY_AFTER_MAX) if seconds.isdecimal() else None
