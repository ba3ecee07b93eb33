"""Removed profiles: the loop that ends the states and the alerts of profiles that were removed.

For a removed profile, the loop first publishes the state of a new profile, and then a tombstone. The pacer ignores
tombstones, so it keeps the state of a new profile. All other services forget the profile's state. So a profile that is
added again with the same id begins afresh everywhere.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.clock import Now
from spreader.contract.events import ProfileState
from spreader.kafka.bus import RecordBus
from spreader.kafka.envelope import Envelope, encode
from stats.config_cache import StatsConfigCache
from stats.core.profile_summary import PackageOfProfile, RemovedProfile, state_of_new_profile
from stats.health.sql_alerts import profiles_with_open_alerts
from stats.health.sql_removed import end_profiles
from stats.metrics import REMOVED

log = structlog.get_logger()

TURN_SECONDS = 2.0
ALERTS_EVERY_SECONDS = 60.0
AT_ONCE_MAX = 200


@dataclass
class RemovedProfiles:
    engine: AsyncEngine
    config: StatsConfigCache
    bus: RecordBus
    clock: Now
    published: Mapping[str, ProfileState]
    """The live rows of the newest state of each profile. When this process reads the tombstone of a profile, the row of
    the profile goes away. Until then, each turn ends the profile again, which changes nothing more."""
    _read_alerts_at: float | None = field(default=None, init=False)

    async def turn(self) -> float:
        packages = {name: state.package_id for name, state in self.published.items()}
        now = time.monotonic()
        if self._read_alerts_at is None or now - self._read_alerts_at >= ALERTS_EVERY_SECONDS:
            # After the state was gone, another instance may have raised an alert, because it had not read of the
            # removal yet.
            packages = {**await profiles_with_open_alerts(self.engine), **packages}
            self._read_alerts_at = now
        removed = self.config.removed_among(packages)[:AT_ONCE_MAX]
        if removed:
            await self._end(removed, packages)
        return 0 if len(removed) == AT_ONCE_MAX else TURN_SECONDS

    async def _end(self, removed: Sequence[RemovedProfile], packages: PackageOfProfile) -> None:
        now = self.clock()
        await end_profiles(self.engine, removed, now)
        states = [state_of_new_profile(row.profile_id, packages[row.profile_id], now) for row in removed]
        await self.bus.publish(*states)
        await self.bus.publish_envelopes(*(_tombstone(state, now) for state in states))
        REMOVED.inc(len(removed))
        log.info("profiles were removed; ended their states and alerts", profiles=len(removed))


def _tombstone(state: ProfileState, now: datetime) -> Envelope:
    record = encode(state, "stats", now)
    return Envelope(record.topic, record.key, None, {**record.headers, "ce_id": f"{record.headers['ce_id']}/removed"})
