"""Present: what is known of profiles at this moment, from all tables."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from stats.core.lanes import Closure
from stats.core.spans import Spans
from stats.core.standing import Known
from stats.postgres import Store
from stats.postgres_conditions import conditions
from stats.postgres_lanes import closures_seen, reported


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
