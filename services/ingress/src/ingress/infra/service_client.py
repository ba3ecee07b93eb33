"""Peer: a service that decides something, asked over its own small HTTP API. Nothing that is sent depends on it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp

from spreader.http.problems import unavailable

ASK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Away:
    """It gave no answer, and why."""

    why: str


Answered = dict[str, Any] | Away | None
"""What a peer says; None: it does not know the thing that it was asked about."""


class Asked(Protocol):
    """What the endpoints need of a peer."""

    async def ask(self, path: str, body: Mapping[str, Any] | None = None, seconds: float = ASK_SECONDS) -> Answered: ...


class Peer:
    """A part: one kept HTTP client. With a body it is a POST, without a GET."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self._url = url.rstrip("/")
        self._client: aiohttp.ClientSession | None = None

    async def ask(self, path: str, body: Mapping[str, Any] | None = None, seconds: float = ASK_SECONDS) -> Answered:
        if self._client is None:
            return Away(f"the {self.name} has not been asked: this process is starting")
        method = "GET" if body is None else "POST"
        try:
            async with (
                asyncio.timeout(seconds),
                self._client.request(method, f"{self._url}{path}", json=body) as response,
            ):
                if response.status == 404:
                    return None
                if response.status != 200:
                    return Away(f"the {self.name} answers with status {response.status}")
                return await response.json()
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            return Away(f"the {self.name} does not answer now ({type(error).__name__})")

    async def start(self) -> None:
        self._client = aiohttp.ClientSession()

    async def stop(self) -> None:
        if self._client is not None:
            await self._client.close()

    def not_ready_reason(self) -> str | None:
        return None

    def is_live(self) -> bool:
        return True


def present(answer: Answered, unknown: str) -> dict[str, Any]:
    """The answer; raises the problem where there is none."""
    if answer is None:
        raise unavailable(f"{unknown} Try again in a moment.")
    if isinstance(answer, Away):
        raise unavailable(f"{answer.why[:1].upper()}{answer.why[1:]}.")
    return answer
