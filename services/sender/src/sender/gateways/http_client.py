"""Gateway client: HTTP calls to gateways, with pooled connections, time-outs, and a circuit breaker for each host.

Errors are returned as values. `NotReached` means that the request was certainly not written. `NoResponse` means that
the request may have arrived. The texts of exceptions are dropped, since they may contain an address with credentials.
"""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
from aiohttp.typedefs import LooseHeaders
from yarl import URL

from sender.core.circuit_breaker import BreakerPolicy, CircuitBreaker
from sender.gateways.call_permit import CallNotPermitted, PermittedRequest
from sender.metrics import BREAKER_REFUSALS, BREAKERS_OPEN
from spreader.clock import wall_now
from spreader.text import lenient_json
from spreader.text.clean_text import SafeText, clean

KEEP_ALIVE_SECONDS = (
    4.0  # shorter than the 5 s after which Node's HTTP server (WAHA, Evolution) closes idle connections
)
RESPONSE_BYTES_MAX = 1024 * 1024
RETRY_AFTER_MAX = timedelta(hours=1)
RETRY_AFTER_DIGITS_MAX = 9  # a longer number would be too large for a timedelta
BREAKERS_MAX = 10_000  # any further host has no breaker
PROXY_STATUSES = frozenset({502, 503, 504})  # sent by a proxy when the gateway behind it is unavailable


@dataclass(frozen=True, slots=True)
class Timeouts:
    """`connect_seconds`: the time-out for opening a connection, TLS included. `call_seconds`: the time-out for a whole
    call."""

    connect_seconds: float
    call_seconds: float


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """`body`: the parsed JSON; None if the text is not JSON."""

    status: int
    body: Any
    text: str
    retry_after: timedelta | None = None
    usage: str | None = None
    """Meta's header `X-Business-Use-Case-Usage`, which says how much of our rate limit is used."""
    raw: bytes = field(default=b"", repr=False)
    """The body as it came, for a file."""


@dataclass(frozen=True, slots=True)
class NotReached:
    """The request was certainly not written."""

    detail: SafeText
    retry_after: timedelta | None = None
    not_permitted: bool = False
    """Whether the sender itself decided not to make the call. Then this outcome says nothing about the gateway."""


@dataclass(frozen=True, slots=True)
class NoResponse:
    """The request was written, and no response arrived."""

    detail: SafeText


CallOutcome = HttpResponse | NotReached | NoResponse


@dataclass(frozen=True, slots=True)
class GatewayCall:
    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    json: Any = None
    data: Any = None
    """A body that is not JSON, such as a form with a file. Only one of `json` and `data` is set."""
    seconds: float | None = None
    """The time-out of this call; None: `Timeouts.call_seconds`."""


class GatewayClient:
    """A component. It follows no redirects, because a redirect would repeat a POST and forward the gateway's key."""

    def __init__(
        self, name: str, connections: int, timeouts: Timeouts, breaker_policy: BreakerPolicy | None = None
    ) -> None:
        self.name = name
        self._connections = connections
        self._timeouts = timeouts
        self._breaker_policy = breaker_policy or BreakerPolicy()
        self._breakers: dict[str, CircuitBreaker] = {}
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=KEEP_ALIVE_SECONDS),
            timeout=aiohttp.ClientTimeout(total=None, connect=self._timeouts.connect_seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
            request_class=PermittedRequest,
        )

    async def stop(self) -> None:
        if self._session is not None:
            await self._session.close()

    def not_ready_reason(self) -> str | None:
        return None  # one unavailable gateway must not stop the sends through the others

    def is_live(self) -> bool:
        return True

    async def call(self, call: GatewayCall) -> CallOutcome:
        host = host_of(call.url)
        if host is None:
            return NotReached("the gateway's address is not a valid URL; correct the profile's base_url")
        breaker = self._breakers.get(host) or CircuitBreaker(self._breaker_policy)
        pause = breaker.pause_left(time.monotonic())
        if pause:
            BREAKER_REFUSALS.inc()
            return NotReached(clean(f"no call was made: the gateway at {host} did not answer the last calls"), pause)
        self._store_breaker(host, breaker.on_call(time.monotonic()))
        outcome = await self._reach(call, host)
        if not (isinstance(outcome, NotReached) and outcome.not_permitted):
            self._record_outcome(host, outcome, probe=breaker.is_open)
        return outcome

    async def _reach(self, call: GatewayCall, host: str) -> CallOutcome:
        seconds = call.seconds or self._timeouts.call_seconds
        try:
            async with asyncio.timeout(seconds):
                return await self._exchange(call)
        except CallNotPermitted as error:
            return NotReached(clean(str(error)), not_permitted=True)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
            return NotReached(clean(f"the gateway at {host} cannot be reached: {type(error).__name__}"))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            kind = type(error).__name__
            return NoResponse(clean(f"no answer from the gateway at {host} after the request was written: {kind}"))

    async def _exchange(self, call: GatewayCall) -> HttpResponse:
        assert self._session is not None, "start the client before the first call"
        headers: LooseHeaders = dict(call.headers)
        async with self._session.request(
            call.method, call.url, headers=headers, json=call.json, data=call.data, allow_redirects=False
        ) as response:
            raw = await response.content.read(RESPONSE_BYTES_MAX)
            while not response.content.at_eof() and len(raw) < RESPONSE_BYTES_MAX:
                raw += await response.content.read(RESPONSE_BYTES_MAX - len(raw))
            text = raw.decode(errors="replace")
            usage = response.headers.get("x-business-use-case-usage")
            return HttpResponse(
                response.status,
                _json(raw),
                text,
                retry_after(response.headers.get("Retry-After", ""), wall_now()),
                usage,
                raw,
            )

    def _record_outcome(self, host: str, outcome: CallOutcome, probe: bool) -> None:
        breaker = self._breakers.get(host) or CircuitBreaker(self._breaker_policy)
        answered = isinstance(outcome, HttpResponse) and not (outcome.status in PROXY_STATUSES and outcome.body is None)
        self._store_breaker(host, breaker.on_answer() if answered else breaker.on_silence(time.monotonic(), probe))

    def _store_breaker(self, host: str, breaker: CircuitBreaker) -> None:
        """A breaker in its initial state is not stored, so that only hosts with failures take memory."""
        if breaker == CircuitBreaker(self._breaker_policy):
            self._breakers.pop(host, None)
        elif host in self._breakers or len(self._breakers) < BREAKERS_MAX:
            self._breakers[host] = breaker
        BREAKERS_OPEN.labels(self.name).set(sum(breaker.is_open for breaker in self._breakers.values()))


def host_of(url: str) -> str | None:
    """Scheme, name and port of a URL, without credentials; None if it is not a valid URL with a host."""
    try:
        address = URL(url)
        return str(address.origin()) if address.host else None
    except ValueError:
        return None


def _json(raw: bytes) -> Any:
    try:
        return lenient_json.parse(raw)
    except ValueError:
        return None


def _date(text: str) -> datetime | None:
    """A date in one of the three forms of HTTP (RFC 9110, 5.6.7), or in ISO 8601."""
    for parse in (parsedate_to_datetime, datetime.fromisoformat):
        with contextlib.suppress(ValueError, TypeError, OverflowError):
            return parse(text.strip())
    return None


def retry_after(header: str, now: datetime) -> timedelta | None:
    """The wait that the header `Retry-After` asks for, in seconds or until a date (RFC 9110, 10.2.3), at most
    `RETRY_AFTER_MAX`. None: it asks for none, or the text has another form."""
    try:
        wait = timedelta(seconds=float(header[:RETRY_AFTER_DIGITS_MAX]))
    except (ValueError, OverflowError):
        until = _date(header)
        if until is None:
            return None
        wait = (until if until.tzinfo else until.replace(tzinfo=UTC)) - now
    return min(wait, RETRY_AFTER_MAX) if wait > timedelta(0) else None
