"""Current state: the records of profiles from all tables, as `profile_states` needs them."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from spreader.runtime.postgres import autocommit
from stats.core.profile_summary import ProfileRecords
from stats.core.windows import WindowStarts
from stats.counting.sql_closures import account_statuses, recent_closures
from stats.counting.store import CountStore
from stats.health.sql_conditions import conditions


@dataclass(frozen=True, slots=True)
class CurrentState:
    store: CountStore
    added_at: Callable[[Collection[str]], Mapping[str, datetime]]
    """Returns when each of these profiles was added."""

    async def records(self, profiles: Collection[str], now: datetime) -> ProfileRecords:
        windows = await self.store.windows(profiles, WindowStarts.at(now))
        added_at = self.added_at(profiles)
        async with autocommit(self.store.engine) as connection:
            return ProfileRecords(
                windows,
                await recent_closures(connection, added_at, now),
                await conditions(connection, added_at),
                await account_statuses(connection, added_at),
            )
