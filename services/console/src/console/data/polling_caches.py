"""Feeds: a part: the connections of this process, and a feed for each operator who has a page open."""

from collections.abc import Mapping

import aiohttp

from console.data.api import Api, Service
from console.data.polling_cache import Feed
from console.settings import ConsoleSettings
from spreader.clock import Now

TURN_SECONDS = 0.25


class Feeds:
    name = "feeds"

    def __init__(self, settings: ConsoleSettings, now: Now) -> None:
        self._urls: Mapping[Service, str] = {"ingress": settings.ingress_url, "stats": settings.stats_url}
        self._now = now
        self._pace = settings.console_poll_seconds
        self._session: aiohttp.ClientSession | None = None
        self._feeds: dict[tuple[str, str], Feed] = {}

    def of(self, key: str, operator: str) -> Feed:
        """Tabs of the same operator share one."""
        feed = self._feeds.get((key, operator))
        if feed is None:
            feed = self._feeds[key, operator] = Feed(self.api(key, operator), self._now, self._pace)
        return feed

    def api(self, key: str, operator: str) -> Api:
        assert self._session is not None, "a part that is not started was asked"
        return Api(self._session, self._urls, key, operator)

    async def turn(self) -> float:
        for who, feed in list(self._feeds.items()):
            if not feed.turn():
                del self._feeds[who]
        return TURN_SECONDS

    async def start(self) -> None:
        self._session = aiohttp.ClientSession()

    async def stop(self) -> None:
        for feed in self._feeds.values():
            feed.stop()
        if self._session is not None:
            await self._session.close()

    def not_ready_reason(self) -> str | None:
        """None also while others are away: the pages are there to tell so."""
        return None

    def is_live(self) -> bool:
        return True
