"""Poller: asks the ingress and the stats once a second, for all tabs together."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import aiohttp
from pydantic import BaseModel, ValidationError

from console.core.board import Board, Packages, States, board
from console.core.reading import Reading
from console.metrics import POLLS
from console.settings import ConsoleSettings
from spreader.clock import Now
from spreader.configuration import Package
from spreader.events import ProfileState

ANSWER_SECONDS = 2.0
PAGE_ROWS = 200
PAGES_MAX = 100

T = TypeVar("T")


class PackagePage(BaseModel):
    data: list[Package]
    next_cursor: str | None = None


class StateList(BaseModel):
    data: list[ProfileState]


class Poller:
    """A part: it holds the connections and what was heard last. Give `turn` to a loop."""

    name = "poller"

    def __init__(self, settings: ConsoleSettings, now: Now) -> None:
        self._settings = settings
        self._now = now
        self._session: aiohttp.ClientSession | None = None
        self._packages: Packages = Reading(())
        self._states: States = Reading({})

    def board(self) -> Board:
        return board(self._packages, self._states, self._now())

    async def turn(self) -> float:
        self._packages, self._states = await asyncio.gather(
            self._ask("ingress", self._packages, self._all_packages),
            self._ask("stats", self._states, self._all_states),
        )
        return self._settings.console_poll_seconds

    async def start(self) -> None:
        key = self._settings.api_key
        self._session = aiohttp.ClientSession(
            headers={} if key is None else {"Authorization": f"Bearer {key}"},
            timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS),
        )

    async def stop(self) -> None:
        if self._session is not None:
            await self._session.close()

    def trouble(self) -> str | None:
        """None also while others are away: the page is there to tell so."""
        return None

    def alive(self) -> bool:
        return True

    async def _ask(self, who: str, last: Reading[T], question: Callable[[], Awaitable[T]]) -> Reading[T]:
        try:
            reading = last.heard(await question(), self._now())
        except (aiohttp.ClientError, TimeoutError, ValidationError) as error:
            reading = last.missed(_trouble(error))
        POLLS.labels(who, "no" if reading.trouble else "yes").inc()
        return reading

    async def _all_packages(self) -> Sequence[Package]:
        packages: list[Package] = []
        asked = {"limit": str(PAGE_ROWS)}
        for _ in range(PAGES_MAX):
            body = await self._get(f"{self._settings.ingress_url}/api/v1/packages", asked)
            page = PackagePage.model_validate_json(body)
            packages += page.data
            if page.next_cursor is None:
                break
            asked["cursor"] = page.next_cursor
        return packages

    async def _all_states(self) -> Mapping[str, ProfileState]:
        body = await self._get(f"{self._settings.stats_url}/api/v1/profiles", {})
        return {state.profile_id: state for state in StateList.model_validate_json(body).data}

    async def _get(self, url: str, query: Mapping[str, str]) -> bytes:
        assert self._session is not None, "a part that is not started was asked"
        async with self._session.get(url, params=query, raise_for_status=True) as answer:
            return await answer.read()


def _trouble(error: Exception) -> str:
    match error:
        case aiohttp.ClientResponseError(status=401 | 403):
            return "it refuses our key: SPREADER_API_KEY must be the same for all services"
        case aiohttp.ClientResponseError():
            return f"it answered {error.status}"
        case TimeoutError():
            return f"nothing came within {ANSWER_SECONDS:g} s"
        case aiohttp.ClientConnectionError():
            return "it cannot be reached"
        case _:
            return "its answer cannot be read: is it of another version?"
