"""Publication: the loop that tells everybody when a profile's state or an alert has changed.

What was published of states is read back from the compacted topic, by every instance. So nothing about it is stored, a
state that a crash kept from being published is found by the next look at everyone (once in a minute, and after a
start), and two instances that find the same change publish it twice, which harms nobody. Alerts are kept with the state
in which they were told last: what differs is told again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.clock import Now
from spreader.contract.events import ProfileState
from spreader.kafka.bus import Bus
from stats.config_cache import StatsConfigCache
from stats.core.profile_summary import PackageOfProfile, is_changed, profile_states
from stats.core.sums import minute_of
from stats.health.current_state import CurrentState
from stats.health.sql_alerts import mark_told, untold
from stats.metrics import ALERTS, STATES

TURN_SECONDS = 1.0  # of real time: the state of a profile is published at most once in it
ALERTS_AT_ONCE_MAX = 1_000


@dataclass
class StatePublisher:
    """`published` is live: the rows of the table over the compacted topic."""

    present: CurrentState
    directory: StatsConfigCache
    bus: Bus
    clock: Now
    published: Mapping[str, ProfileState]
    _touched: set[str] = field(default_factory=set[str], init=False)
    _all_seen_in: datetime | None = field(default=None, init=False)

    def touch(self, profiles: Iterable[str]) -> None:
        """Something about these has changed: look at them in the next turn."""
        self._touched.update(profiles)

    async def turn(self) -> float:
        now = self.clock()
        due = self._due(now)
        self._touched.clear()
        self._all_seen_in = None  # if this turn fails, the next looks at everyone
        news = await self._news(due, now) if due else []
        await self.bus.publish(*news)
        STATES.inc(len(news))
        self._all_seen_in = minute_of(now)
        return TURN_SECONDS

    def _due(self, now: datetime) -> PackageOfProfile:
        """Who to look at: everyone in a new minute (counts leave their windows by the minute), else who was touched."""
        members = self.directory.roster()
        if minute_of(now) != self._all_seen_in:
            return members
        return {profile: package for profile, package in members.items() if self._is_due(profile, package, now)}

    def _is_due(self, profile: str, package: str, now: datetime) -> bool:
        published = self.published.get(profile)
        if profile in self._touched or published is None or published.package_id != package:
            return True
        ends = (published.open.until, published.reply.until)
        return any(end is not None and end <= now for end in ends)

    async def _news(self, due: PackageOfProfile, now: datetime) -> list[ProfileState]:
        states = profile_states(due, await self.present.known(due.keys(), now), now)
        return [state for state in states if is_changed(state, self.published.get(state.profile_id))]


@dataclass(frozen=True, slots=True)
class AlertPublisher:
    """Tells of alerts. At least once: a crash between telling and noting it tells the same again."""

    engine: AsyncEngine
    bus: Bus

    async def turn(self) -> float:
        alerts = await untold(self.engine, ALERTS_AT_ONCE_MAX)
        if alerts:
            await self.bus.publish(*(each.event for each in alerts))
            await mark_told(self.engine, alerts)
        for each in alerts:
            ALERTS.labels(each.state).inc()
        return 0 if len(alerts) == ALERTS_AT_ONCE_MAX else TURN_SECONDS
