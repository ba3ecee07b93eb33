"""Present: what is known of profiles at this moment, from all tables."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from stats.core.closures import Closure
from stats.core.profile_summary import ProfileRecords
from stats.core.windows import WindowStarts
from stats.counting.sql_closures import closures_seen, reported
from stats.counting.store import CountStore
from stats.health.sql_conditions import conditions


@dataclass(frozen=True, slots=True)
class CurrentState:
    store: CountStore

    async def known(self, profiles: Collection[str], now: datetime) -> ProfileRecords:
        windows = await self.store.windows(profiles, WindowStarts.at(now))
        async with self.store.engine.connect() as connection:
            closures: dict[str, list[Closure]] = {}
            for closure in (await closures_seen(connection, profiles, now)).values():
                closures.setdefault(closure.profile_id, []).append(closure)
            return ProfileRecords(
                windows,
                closures,
                await conditions(connection, profiles),
                await reported(connection, profiles),
            )
