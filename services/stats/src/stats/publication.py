"""Publication: the loop that tells everybody when a profile's state has changed.

What was published is read back from the compacted topic, by every instance. So nothing about it is stored, a state that
a crash kept from being published is found by the next look at everyone (once in a minute, and after a start), and two
instances that find the same change publish it twice, which harms nobody.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from spreader.bus import Bus
from spreader.clock import Now
from spreader.events import PackageConfigured, ProfileState
from stats.core.spans import Spans
from stats.core.standing import Roster, is_news, roster, standings
from stats.core.tally import minute_of
from stats.metrics import STATES
from stats.postgres import Store

TURN_SECONDS = 1.0  # of real time: the state of a profile is published at most once in it


class Publication:
    """`configured` and `published` are live: the rows of the tables over the two compacted topics."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        clock: Now,
        configured: Mapping[str, PackageConfigured],
        published: Mapping[str, ProfileState],
    ) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._configured = configured
        self._published = published
        self._touched: set[str] = set()
        self._all_seen_in: datetime | None = None

    def touch(self, profiles: Iterable[str]) -> None:
        """These have new counts: look at them in the next turn."""
        self._touched.update(profiles)

    async def turn(self) -> float:
        now = self._clock()
        due = self._due(minute_of(now))
        self._touched.clear()
        self._all_seen_in = None  # if this turn fails, the next looks at everyone
        news = await self._news(due, now) if due else []
        await self._bus.publish(*news)
        STATES.inc(len(news))
        self._all_seen_in = minute_of(now)
        return TURN_SECONDS

    def _due(self, minute: datetime) -> Roster:
        """Who to look at: everyone in a new minute (counts leave their windows by the minute), else who was touched."""
        members = roster(row.package for row in self._configured.values())
        if minute != self._all_seen_in:
            return members
        return {profile: members[profile] for profile in members if self._is_due(profile, members[profile])}

    def _is_due(self, profile: str, package: str) -> bool:
        published = self._published.get(profile)
        return profile in self._touched or published is None or published.package_id != package

    async def _news(self, due: Roster, now: datetime) -> list[ProfileState]:
        windows = await self._store.windows(due.keys(), Spans.at(now))
        states = standings(due, windows, await self._store.signs(due.keys()), now)
        return [state for state in states if is_news(state, self._published.get(state.profile_id))]
