"""API client: calls Spreader's public HTTP API for the demo."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import aiohttp

from local.unavailable import Unavailable

TIMEOUT_SECONDS = 30.0


class ApiClient:
    """A connection pool to one server: ingress or the simulator."""

    def __init__(self, base: str, key: str | None = None) -> None:
        self._base = base
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        self._session = aiohttp.ClientSession(headers=self._headers, timeout=timeout)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def get(self, path: str) -> Mapping[str, Any] | None:
        """None for status 404."""
        return await self._request("GET", path, None)

    async def post(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return await self._request("POST", path, body) or {}

    async def patch(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return await self._request("PATCH", path, body) or {}

    async def _request(self, method: str, path: str, body: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        assert self._session is not None
        try:
            async with self._session.request(method, self._base + path, json=body) as response:
                if response.status == 404 and method == "GET":
                    return None
                if response.status >= 400:
                    text = (await response.text())[:300]
                    raise Unavailable(f"{method} {path} failed with status {response.status}: {text}")
                return await response.json() if response.content_type.endswith("json") else {}
        except (aiohttp.ClientConnectionError, TimeoutError):
            raise Unavailable(f"Cannot connect to {self._base}. Start Spreader with `make up`.") from None
