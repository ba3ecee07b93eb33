"""Present: what is known of profiles at this moment, from all tables."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from stats.core.closures import Closure
from stats.core.spans import Spans
from stats.core.standing import Known
from stats.counting.sql_lanes import closures_seen, reported
from stats.counting.store import Store
from stats.health.sql_conditions import conditions


@dataclass(frozen=True, slots=True)
class Present:
    store: Store

    async def known(self, profiles: Collection[str], now: datetime) -> Known:
        windows = await self.store.windows(profiles, Spans.at(now))
        async with self.store.engine.connect() as connection:
            closures: dict[str, list[Closure]] = {}
            for closure in (await closures_seen(connection, profiles, now)).values():
                closures.setdefault(closure.profile_id, []).append(closure)
            return Known(
                windows,
                closures,
                await conditions(connection, profiles),
                await reported(connection, profiles),
            )
