"""Service client: queries to the internal HTTP APIs of other services. No such query is needed to accept a message."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import aiohttp

from spreader.http.problems import unavailable
from spreader.vault import split_secrets

QUERY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class ServiceUnavailable:
    """The service did not respond, or responded with an error."""

    reason: str


ServiceResponse = dict[str, Any] | ServiceUnavailable | None
"""The response body. None: the service returned 404, because it does not know the subject of the query."""
Response = TypeVar("Response", dict[str, Any], bytes)


class ServiceClient(Protocol):
    """The part of a client that endpoints use."""

    async def query(
        self, path: str, body: Mapping[str, Any] | None = None, seconds: float = QUERY_SECONDS
    ) -> ServiceResponse: ...


class ReadingServiceClient(ServiceClient, Protocol):
    async def read(self, path: str) -> bytes | ServiceUnavailable | None: ...


class HttpServiceClient:
    """A component that queries one service, called `name`. It keeps one pool of HTTP connections to the service.

    `tokens`: the setting `internal_token`. The client shows the first token.
    """

    def __init__(self, name: str, url: str, tokens: str | None) -> None:
        self.name = name
        self._url = url.rstrip("/")
        shown = split_secrets(tokens or "")
        self.headers = {"Authorization": f"Bearer {shown[0]}"} if shown else {}
        self._client: aiohttp.ClientSession | None = None

    async def query(
        self, path: str, body: Mapping[str, Any] | None = None, seconds: float = QUERY_SECONDS
    ) -> ServiceResponse:
        """Sends a POST if there is a body, otherwise a GET. Waits at most `seconds`."""
        method = "GET" if body is None else "POST"
        return await self._ask(method, path, body, seconds, lambda response: response.json())

    async def read(self, path: str) -> bytes | ServiceUnavailable | None:
        """The response body of a GET as it was sent. So this process need not decode and encode a long body."""
        return await self._ask("GET", path, None, QUERY_SECONDS, lambda response: response.read())

    async def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        seconds: float,
        read: Callable[[aiohttp.ClientResponse], Awaitable[Response]],
    ) -> Response | ServiceUnavailable | None:
        if self._client is None:
            return ServiceUnavailable(f"the {self.name} cannot be queried yet: this process is still starting")
        try:
            async with (
                asyncio.timeout(seconds),
                self._client.request(method, f"{self._url}{path}", json=body) as response,
            ):
                if response.status == 404:
                    return None
                if response.status in (401, 503) and (reason := await _detail(response)):
                    return ServiceUnavailable(reason)
                if response.status != 200:
                    return ServiceUnavailable(f"the {self.name} responded with status {response.status}")
                return await read(response)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            return ServiceUnavailable(f"the {self.name} does not respond ({type(error).__name__})")

    async def start(self) -> None:
        self._client = aiohttp.ClientSession(headers=self.headers)

    async def stop(self) -> None:
        if self._client is not None:
            await self._client.close()

    def not_ready_reason(self) -> str | None:
        return None

    def is_live(self) -> bool:
        return True


async def _detail(response: aiohttp.ClientResponse) -> str | None:
    """The reason in the service's own words, if it gives one."""
    try:
        body: Any = await response.json(content_type=None)
    except ValueError:
        return None
    detail: Any = body.get("detail") if isinstance(body, dict) else None
    return detail if isinstance(detail, str) else None


def require_body(response: Response | ServiceUnavailable | None, not_found_detail: str) -> Response:
    """The response body. Raises the problem `unavailable` if there is none.

    `not_found_detail`: the detail of that problem if the service returned 404.
    """
    if response is None:
        raise unavailable(f"{not_found_detail} Try again shortly.")
    if isinstance(response, ServiceUnavailable):
        raise unavailable(f"{response.reason[:1].upper()}{response.reason[1:]}.")
    return response
