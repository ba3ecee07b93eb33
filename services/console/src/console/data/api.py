"""Api: the HTTP client of one operator; every answer is a value, and so is every failure."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import aiohttp

from console.metrics import ASKED

Service = Literal["ingress", "stats"]

ANSWER_SECONDS = 4.0
ACT_SECONDS = 30.0
PIECE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Given:
    """What was asked for; `body` is JSON as a value."""

    body: Any
    status: int = 200


@dataclass(frozen=True, slots=True)
class Refused:
    """The service understood, and said no; `fields` are its complaints by JSON pointer."""

    status: int
    code: str
    detail: str
    fields: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Away:
    """There is no answer, and why."""

    why: str


Answer = Given | Refused | Away


@dataclass(frozen=True, slots=True)
class Api:
    """`session` belongs to the process; `key` and `operator` are of who is signed in."""

    session: aiohttp.ClientSession
    urls: Mapping[Service, str]
    key: str
    operator: str = ""

    async def get(self, service: Service, path: str, seconds: float = ANSWER_SECONDS) -> Answer:
        return await self.call("GET", service, path, seconds=seconds)

    async def call(
        self, method: str, service: Service, path: str, body: Any = None, *, data: Path | None = None,
        headers: Mapping[str, str] | None = None, seconds: float = ACT_SECONDS,
    ) -> Answer:  # fmt: skip
        """`body` is sent as JSON, `data` is a file that is sent as it is; paths begin after `/api/v1`."""
        asked: dict[str, Any] = {"data": _pieces(data)} if data is not None else {"json": body}
        timeout = aiohttp.ClientTimeout(total=seconds)
        try:
            async with self.session.request(
                method, self._address(service, path), headers={**self._headers(), **(headers or {})},
                timeout=timeout, **asked,
            ) as response:  # fmt: skip
                answer = await _read(response)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            answer = Away(_why(error, seconds))
        ASKED.labels(service, type(answer).__name__.lower()).inc()
        return answer

    async def stream(self, service: Service, path: str) -> "Stream | Refused | Away":
        """An answer that is too large to hold, piece by piece; close it when done."""
        try:
            response = await self.session.get(
                self._address(service, path), headers=self._headers(), timeout=aiohttp.ClientTimeout(sock_read=60)
            )
            if response.status == 200:
                return Stream(response)
            refused = await _read(response)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return Away(_why(error, ACT_SECONDS))
        return refused if isinstance(refused, Refused) else Away(f"it answered {response.status}")

    def _address(self, service: Service, path: str) -> str:
        return f"{self.urls[service]}/api/v1{path}"

    def _headers(self) -> dict[str, str]:
        named = {"Spreader-Operator": quote(self.operator)} if self.operator else {}
        return {"Authorization": f"Bearer {self.key}", **named}


@dataclass(frozen=True, slots=True)
class Stream:
    response: aiohttp.ClientResponse

    async def pieces(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self.response.content.iter_chunked(PIECE_BYTES):
                yield piece
        finally:
            self.response.close()


async def _read(response: aiohttp.ClientResponse) -> Answer:
    if response.status == 204:
        return Given(None, 204)
    body = await response.json(content_type=None)
    if response.status < 400:
        return Given(body, response.status)
    if response.status == 503:
        return Away(str(body.get("detail", "it is not ready")).rstrip("."))
    fields = {str(each["pointer"]): str(each["detail"]) for each in body.get("errors", ())}
    return Refused(response.status, body.get("code", ""), body.get("detail") or body.get("title", ""), fields)


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece


def _why(error: Exception, seconds: float) -> str:
    match error:
        case TimeoutError():
            return f"nothing came within {seconds:g} s"
        case aiohttp.ClientConnectionError():
            return "it cannot be reached"
        case _:
            return "its answer cannot be read: is it of another version?"
