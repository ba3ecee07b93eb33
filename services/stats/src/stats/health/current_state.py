"""Current state: the records of profiles from all tables, as `profile_states` needs them."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from spreader.runtime.postgres import autocommit
from stats.core.closures import Closure
from stats.core.profile_summary import ProfileRecords
from stats.core.windows import WindowStarts
from stats.counting.sql_closures import account_statuses, recent_closures
from stats.counting.store import CountStore
from stats.health.sql_conditions import conditions


@dataclass(frozen=True, slots=True)
class CurrentState:
    store: CountStore

    async def records(self, profiles: Collection[str], now: datetime) -> ProfileRecords:
        windows = await self.store.windows(profiles, WindowStarts.at(now))
        async with autocommit(self.store.engine) as connection:
            closures: defaultdict[str, list[Closure]] = defaultdict(list)
            for closure in (await recent_closures(connection, profiles, now)).values():
                closures[closure.profile_id].append(closure)
            return ProfileRecords(
                windows,
                closures,
                await conditions(connection, profiles),
                await account_statuses(connection, profiles),
            )
