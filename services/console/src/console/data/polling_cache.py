"""Polling cache: repeats the queries that open pages need, and keeps the newest answers.

All open pages of an operator share one cache, so each query is sent once for all of them.
"""

import asyncio
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic, TypeVar, cast

import aiohttp
from pydantic import BaseModel, ValidationError

from console.core.last_answer import LastAnswer
from console.data.api import CallFailed, CallRefused, CallResult, CallSucceeded, OperatorClient, Service
from console.settings import ConsoleSettings
from spreader.clock import Now

T = TypeVar("T", bound=BaseModel)
V = TypeVar("V")

UNUSED_SECONDS_MAX = 10.0
"""A query that no page has read for this long is dropped."""
POLL_SECONDS = 0.25
PAGE_ROWS = 200
PAGES_MAX = 100


@dataclass(frozen=True, slots=True)
class Query(Generic[T]):
    """A GET request that is repeated while an open page of the console needs it.

    If `all_pages` is true, the cache follows the list's cursors and joins all parts of the list.
    """

    service: Service
    path: str
    model: type[T]
    interval_seconds: float = 1.0
    all_pages: bool = False

    @property
    def interval(self) -> timedelta:
        return timedelta(seconds=self.interval_seconds)


@dataclass
class _Entry:
    answer: LastAnswer[Any]
    used_at: float
    requested_at: float = float("-inf")
    task: asyncio.Task[None] | None = None
    body: Any = None
    """The newest response body. A later body that equals it is not parsed again."""


@dataclass
class PollingCache:
    """The answers for one operator."""

    api: OperatorClient
    now: Now
    interval_factor: float = 1.0
    """The interval of every query is multiplied by this factor."""
    _entries: dict[Query[Any], _Entry] = field(default_factory=dict[Query[Any], _Entry])
    _memos: dict[Hashable, tuple[tuple[Any, ...], Any]] = field(
        default_factory=dict[Hashable, tuple[tuple[Any, ...], Any]]
    )

    def last_answer(self, query: Query[T]) -> LastAnswer[T | None]:
        """The last answer to the query. The first call for a query sends the request.

        A page must repeat this call, because the cache drops queries that no page has used for a while.
        """
        return cast(LastAnswer[T | None], self._entry(query).answer)

    async def load(self, *queries: Query[Any], seconds: float = 2.0) -> None:
        """Wait until each query has been answered or has failed, so that a page does not open empty.

        Waits no longer than `seconds`.
        """
        entries = [self._entry(query) for query in queries]
        tasks = [entry.task for entry in entries if entry.answer.received_at is None and entry.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)

    async def load_anew(self, *queries: Query[Any], seconds: float = 2.0) -> None:
        """Repeat the queries now, and wait for the answers. Call this before you ask an operator to confirm something.

        Waits no longer than `seconds`.
        """
        entries = {query: self._entry(query) for query in queries}
        for query, entry in entries.items():
            if entry.task is None:
                self._request(query, entry)
        tasks = [entry.task for entry in entries.values() if entry.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)

    def refresh(self, query: Query[Any]) -> None:
        """Repeat the query at the next poll. Call this after you have changed the data that the query returns."""
        if (entry := self._entries.get(query)) is not None:
            entry.requested_at = float("-inf")

    def poll(self) -> bool:
        """Send the requests that are due and drop unused queries. Returns whether any query is left."""
        now = time.monotonic()
        for query, entry in list(self._entries.items()):
            if now - entry.used_at > UNUSED_SECONDS_MAX:
                del self._entries[query]
            elif entry.task is None and now - entry.requested_at >= query.interval_seconds * self.interval_factor:
                self._request(query, entry)
        return bool(self._entries)

    def memo(self, key: Hashable, build: Callable[..., V], *inputs: Any) -> V:
        """The result of `build(*inputs)`, which all pages share.

        The result is computed again only when an input is another object than before.
        """
        memo = self._memos.get(key)
        if memo is None or len(memo[0]) != len(inputs) or any(a is not b for a, b in zip(memo[0], inputs, strict=True)):
            memo = self._memos[key] = (inputs, build(*inputs))
        return cast(V, memo[1])

    def stop(self) -> None:
        for entry in self._entries.values():
            if entry.task is not None:
                entry.task.cancel()
        self._entries.clear()
        self._memos.clear()

    def _entry(self, query: Query[Any]) -> _Entry:
        entry = self._entries.get(query)
        if entry is None:
            entry = self._entries[query] = _Entry(LastAnswer(None), time.monotonic())
            self._request(query, entry)
        entry.used_at = time.monotonic()
        return entry

    def _request(self, query: Query[Any], entry: _Entry) -> None:
        entry.requested_at = time.monotonic()
        entry.task = asyncio.create_task(self._update(query, entry))

    async def _update(self, query: Query[Any], entry: _Entry) -> None:
        try:
            match await self._get(query):
                case CallSucceeded(body) if body == entry.body:
                    entry.answer = entry.answer.succeeded(entry.answer.value, self.now())
                case CallSucceeded(body):
                    entry.answer = entry.answer.succeeded(query.model.model_validate(body), self.now())
                    entry.body = body
                case CallRefused(401):
                    entry.answer = entry.answer.failed("it does not take this API key any more: sign in again", True)
                case CallRefused(_, _, detail):
                    entry.answer = entry.answer.failed(detail, True)
                case CallFailed(reason):
                    entry.answer = entry.answer.failed(reason)
        except ValidationError:
            entry.answer = entry.answer.failed("its answer cannot be read: is it of another version?")
        finally:
            entry.task = None

    async def _get(self, query: Query[Any]) -> CallResult:
        if not query.all_pages:
            return await self.api.get(query.service, query.path)
        rows: list[Any] = []
        separator, cursor = "&" if "?" in query.path else "?", ""
        for _ in range(PAGES_MAX):
            result = await self.api.get(query.service, f"{query.path}{separator}limit={PAGE_ROWS}{cursor}")
            if not isinstance(result, CallSucceeded):
                return result
            rows += result.body["data"]
            if result.body.get("next_cursor") is None:
                break
            cursor = f"&cursor={result.body['next_cursor']}"
        return CallSucceeded({"data": rows})


class PollingCaches:
    """A component with the HTTP connections of the process, and one cache for each operator who has a page open."""

    name = "feeds"

    def __init__(self, settings: ConsoleSettings, now: Now) -> None:
        self._urls: Mapping[Service, str] = {"ingress": settings.ingress_url, "stats": settings.stats_url}
        self._now = now
        self._interval_factor = settings.console_poll_seconds
        self._session: aiohttp.ClientSession | None = None
        self._caches: dict[tuple[str, str], PollingCache] = {}

    def get(self, key: str, operator: str) -> PollingCache:
        """The cache that all tabs of an operator share."""
        cache = self._caches.get((key, operator))
        if cache is None:
            cache = PollingCache(self.api(key, operator), self._now, self._interval_factor)
            self._caches[key, operator] = cache
        return cache

    def api(self, key: str, operator: str) -> OperatorClient:
        assert self._session is not None, "PollingCaches is not started"
        return OperatorClient(self._session, self._urls, key, operator)

    async def poll(self) -> float:
        """Poll every cache once. Returns the seconds until the next poll."""
        for owner, cache in list(self._caches.items()):
            if not cache.poll():
                del self._caches[owner]
        return POLL_SECONDS

    async def start(self) -> None:
        self._session = aiohttp.ClientSession()

    async def stop(self) -> None:
        for cache in self._caches.values():
            cache.stop()
        if self._session is not None:
            await self._session.close()

    def not_ready_reason(self) -> str | None:
        """The console is always ready. While it cannot reach a service, its pages say so."""
        return None

    def is_live(self) -> bool:
        return True
