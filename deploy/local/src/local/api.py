"""Api: Spreader's public HTTP API, as the demo calls it."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import aiohttp

from local.unavailable import Unavailable

TIMEOUT_SECONDS = 30.0


class Api:
    """One connection pool to one server; `base` may be the ingress' or the simulator's address."""

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
        """None where there is nothing of that name."""
        return await self._ask("GET", path, None)

    async def post(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return await self._ask("POST", path, body) or {}

    async def patch(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return await self._ask("PATCH", path, body) or {}

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        assert self._session is not None
        try:
            async with self._session.request(method, self._base + path, json=body) as answer:
                if answer.status == 404 and method == "GET":
                    return None
                if answer.status >= 400:
                    raise Unavailable(f"{method} {path} was answered {answer.status}: {(await answer.text())[:300]}")
                return await answer.json() if answer.content_type.endswith("json") else {}
        except (aiohttp.ClientConnectionError, TimeoutError):
            raise Unavailable(f"Nothing answers at {self._base}: start Spreader with `make up`.") from None
