"""State publisher: the loops that publish changed profile states and alerts.

Published states of profiles are not stored in the database, because each instance reads them back from their compacted
topic. All profiles are compared with their published states once a minute and after a start. This also finds a change
that was not published because of a crash. Two instances may publish the same state twice, which is harmless.

For each alert, the database also has the state that was published last. If the alert's current state differs from it,
the current state is published.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.clock import Now
from spreader.contract.events import Alert, ProfileState
from spreader.kafka.bus import Bus
from stats.config_cache import StatsConfigCache
from stats.core.alerts import StoredAlert
from stats.core.profile_summary import PackageOfProfile, is_changed, profile_states
from stats.core.sums import minute_of
from stats.health.current_state import CurrentState
from stats.health.sql_alerts import mark_published, unpublished_alerts
from stats.metrics import ALERTS, STATES

log = structlog.get_logger()

TURN_SECONDS = 1.0
"""The shortest real time between two published states of a profile."""
ALERTS_AT_ONCE_MAX = 1_000


@dataclass
class StatePublisher:
    """`published`: the newest published state of each profile, as the table of the compacted topic has it now."""

    current_state: CurrentState
    config: StatsConfigCache
    bus: Bus
    clock: Now
    published: Mapping[str, ProfileState]
    cluster_id: Callable[[], str | None] = lambda: None
    """Returns the id of the Kafka cluster that answers now. None: the id is not known. When the id changes, all states
    are published again."""
    _touched: set[str] = field(default_factory=set[str], init=False)
    _all_compared_in: datetime | None = field(default=None, init=False)
    _published_to: str | None = field(default=None, init=False)

    def touch(self, profiles: Iterable[str]) -> None:
        """Compare these profiles in the next turn, because something about them has changed."""
        self._touched.update(profiles)

    async def turn(self) -> float:
        now = self.clock()
        cluster_id = self.cluster_id() or self._published_to
        is_new = self._published_to is not None and cluster_id != self._published_to
        due = self.config.package_of_profile() if is_new else self._due(now)
        self._touched.clear()
        self._all_compared_in = None  # after a failure, the next turn compares all profiles
        changed = await self._changed_states(due, {} if is_new else self.published, now) if due else []
        await self.bus.publish(*changed)
        self._published_to = cluster_id
        STATES.inc(len(changed))
        self._all_compared_in = minute_of(now)
        return TURN_SECONDS

    def _due(self, now: datetime) -> PackageOfProfile:
        """The profiles to compare. In a new minute these are all profiles, because counts leave their windows every
        minute. Otherwise they are the profiles whose states may have changed."""
        packages = self.config.package_of_profile()
        if minute_of(now) != self._all_compared_in:
            return packages
        added_at = self.config.added_at(packages)
        return {
            profile: package
            for profile, package in packages.items()
            if self._is_due(profile, package, added_at[profile], now)
        }

    def _is_due(self, profile: str, package: str, added_at: datetime, now: datetime) -> bool:
        published = self.published.get(profile)
        if profile in self._touched or published is None or published.package_id != package:
            return True
        if published.at < added_at:
            return True  # it is the state of an earlier profile with the same id
        ends = (published.open.until, published.reply.until)
        return any(end is not None and end <= now for end in ends)

    async def _changed_states(
        self, due: PackageOfProfile, published: Mapping[str, ProfileState], now: datetime
    ) -> list[ProfileState]:
        states = profile_states(due, await self.current_state.records(due.keys(), now), now)
        return [state for state in states if is_changed(state, published.get(state.profile_id))]


@dataclass(frozen=True, slots=True)
class AlertPublisher:
    """Publishes each state of an alert at least once. After a crash it may publish a state again."""

    engine: AsyncEngine
    bus: Bus

    async def turn(self) -> float:
        alerts = await unpublished_alerts(self.engine, ALERTS_AT_ONCE_MAX)
        if alerts:
            await self.bus.publish(*_events(alerts))
            await mark_published(self.engine, alerts)
        for alert in alerts:
            ALERTS.labels(alert.state).inc()
        return 0 if len(alerts) == ALERTS_AT_ONCE_MAX else TURN_SECONDS


def _events(alerts: Iterable[StoredAlert]) -> Iterable[Alert]:
    """The events of the alerts. If no event can be made of an alert, the alert is passed over, so that it does not hold
    up the others."""
    for alert in alerts:
        try:
            yield alert.event
        except ValidationError as error:
            fields = sorted({"/".join(map(str, detail["loc"])) for detail in error.errors(include_input=False)})
            log.error(
                "an alert cannot be published; it is only in the list of alerts", alert=alert.alert_id, fields=fields
            )
