"""API: the HTTP client that calls ingress and stats for an operator. A failed call returns its failure as a value."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import aiohttp

from console.metrics import API_CALLS

Service = Literal["ingress", "stats"]

READ_SECONDS = 4.0
CHANGE_SECONDS = 30.0
CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 300.0
"""How long the service may send nothing of an export. Time in which the browser takes no data does not count, because
then the console reads nothing."""
CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class CallSucceeded:
    """The service did what was requested. `body` is the decoded JSON of the response."""

    body: Any
    status: int = 200
    etag: str | None = None
    """The version of a package or profile, if the response has one."""


@dataclass(frozen=True, slots=True)
class CallRefused:
    """The service refused the request. `fields` has the errors of single fields by JSON pointer."""

    status: int
    code: str
    detail: str
    fields: Mapping[str, str] = field(default_factory=dict[str, str])
    retry_after: str | None = None


@dataclass(frozen=True, slots=True)
class CallFailed:
    """The service gave no readable response, or said that it is not ready."""

    reason: str


CallResult = CallSucceeded | CallRefused | CallFailed

SIGNED_OUT = CallRefused(401, "signed-out", "You are signed out. Nothing was done: sign in again.")

_METRIC_LABELS = {CallSucceeded: "given", CallRefused: "refused", CallFailed: "away"}


def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class OperatorClient:
    """Calls the services with the API key and the name of the signed-in operator.

    All clients of the process share one `session`. `is_signed_in` is called before each call of a service, because a
    page in another tab stays open after the operator has signed out.
    """

    session: aiohttp.ClientSession
    urls: Mapping[Service, str]
    key: str = field(repr=False)
    operator: str = ""
    is_signed_in: Callable[[], bool] = _always

    async def get(self, service: Service, path: str, seconds: float = READ_SECONDS) -> CallResult:
        return await self.call("GET", service, path, seconds=seconds)

    async def call(
        self,
        method: str,
        service: Service,
        path: str,
        body: Any = None,
        *,
        data: Path | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float = CHANGE_SECONDS,
    ) -> CallResult:
        """Send `body` as JSON, or the content of the file `data` unchanged. `path` is relative to `/api/v1`."""
        if not self.is_signed_in():
            return SIGNED_OUT
        payload: dict[str, Any] = {"data": _chunks(data)} if data is not None else {"json": body}
        timeout = aiohttp.ClientTimeout(total=seconds)
        try:
            async with self.session.request(
                method,
                self._address(service, path),
                headers={**self._headers(), **(headers or {})},
                timeout=timeout,
                **payload,
            ) as response:
                result = await _read(response)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            result = CallFailed(_reason(error, seconds))
        API_CALLS.labels(service, _METRIC_LABELS[type(result)]).inc()
        return result

    async def stream(self, service: Service, path: str) -> "ExportStream | CallRefused | CallFailed":
        """Get a response in chunks, because it may not fit into memory."""
        if not self.is_signed_in():
            return SIGNED_OUT
        try:
            timeout = aiohttp.ClientTimeout(sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS)
            response = await self.session.get(self._address(service, path), headers=self._headers(), timeout=timeout)
            if response.status == 200:
                return ExportStream(response)
            result = await _read(response)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return CallFailed(_reason(error, SILENCE_SECONDS))
        return result if isinstance(result, CallRefused) else CallFailed(f"it answered {response.status}")

    def _address(self, service: Service, path: str) -> str:
        return f"{self.urls[service]}/api/v1{path}"

    def _headers(self) -> dict[str, str]:
        operator = {"Spreader-Operator": quote(self.operator)} if self.operator else {}
        return {"Authorization": f"Bearer {self.key}", **operator}


@dataclass(frozen=True, slots=True)
class ExportStream:
    """The body of a successful response. The caller that reads it must close it."""

    response: aiohttp.ClientResponse

    async def chunks(self) -> AsyncGenerator[bytes]:
        """The body. Raises aiohttp.ClientError if the service ends the connection before the end of the body."""
        async for chunk in self.response.content.iter_chunked(CHUNK_BYTES):
            yield chunk

    def close(self) -> None:
        self.response.close()


async def _read(response: aiohttp.ClientResponse) -> CallResult:
    if response.status == 204:
        return CallSucceeded(None, 204)
    body = await response.json(content_type=None)
    if response.status < 400:
        return CallSucceeded(body, response.status, response.headers.get("ETag"))
    if response.status == 503:
        return CallFailed(str(body.get("detail", "it is not ready")).rstrip("."))
    fields = {str(each["pointer"]): str(each["detail"]) for each in body.get("errors", ())}
    detail = body.get("detail") or body.get("title", "")
    return CallRefused(response.status, body.get("code", ""), detail, fields, response.headers.get("Retry-After"))


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _reason(error: Exception, seconds: float) -> str:
    match error:
        case TimeoutError():
            return f"nothing came within {seconds:g} s"
        case aiohttp.ClientConnectionError():
            return "it cannot be reached"
        case _:
            return "its answer cannot be read: is it of another version?"
