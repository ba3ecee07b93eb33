"""Forecast: when a message will be complete, as the pacer foresees it; it does without when the pacer is away."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from spreader.events import OpenOptions

FORECAST_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Forecast:
    completion: str | None
    note: str | None = None
    """Why there is none."""


class Pacer:
    """A part: one kept HTTP client."""

    name = "pacer"

    def __init__(self, url: str) -> None:
        self._url = f"{url.rstrip('/')}/forecast"
        self._client: aiohttp.ClientSession | None = None

    async def forecast(self, package_id: str, deliveries: Mapping[str, int], options: OpenOptions) -> Forecast:
        if self._client is None:
            return Forecast(None, "the pacer has not been asked: this process is starting")
        asked = {
            "package_id": package_id,
            "deliveries": dict(deliveries),
            "options": options.model_dump(mode="json", exclude_none=True),
        }
        try:
            async with asyncio.timeout(FORECAST_SECONDS), self._client.post(self._url, json=asked) as response:
                return _read(response.status, await response.json() if response.status == 200 else None)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            return Forecast(None, f"the pacer gives no forecast now ({type(error).__name__})")

    async def start(self) -> None:
        self._client = aiohttp.ClientSession()

    async def stop(self) -> None:
        if self._client is not None:
            await self._client.close()

    def trouble(self) -> str | None:
        return None

    def alive(self) -> bool:
        return True


def _read(status: int, body: Any) -> Forecast:
    completion = body.get("completion") if isinstance(body, dict) else None
    if isinstance(completion, str):
        return Forecast(completion)
    return Forecast(None, f"the pacer gives no forecast now (status {status})")
