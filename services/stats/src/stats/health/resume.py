"""Resumption: an operator's request that opens the closed lanes of a profile and ends its pause."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.clock import Now
from spreader.contract.events import Lane
from stats.core.closures import CLOSURE_RULES, LANES, Lift
from stats.core.condition import ProfileChange
from stats.core.health import Pause, band
from stats.counting.lane_closures import LaneClosures
from stats.counting.sql_changes import note_changes
from stats.health.sql_conditions import lock_conditions, save_conditions


@dataclass(frozen=True, slots=True)
class Resumption:
    engine: AsyncEngine
    closures: LaneClosures
    clock: Now
    on_lanes: Callable[[Iterable[str]], None]
    """Called with the resumed profiles, after the commit."""

    async def resume(self, profile_id: str, lane: Lane | None, by: str) -> None:
        """Resume one lane, or both if `lane` is None. A repeat changes nothing. New evidence may close a lane again."""
        now = self.clock()
        lift = Lift(profile_id, now, frozenset(CLOSURE_RULES), lanes=LANES if lane is None else (lane,))
        async with self.engine.begin() as connection:
            known = await lock_conditions(connection, self.closures.added_at([profile_id]))
            condition = known.get(profile_id)
            opened = await self.closures.apply(connection, (), [lift], now)
            if condition is not None and condition.pause.since is not None and lane != "reply":
                health = condition.health.model_copy(update={"band": band(condition.health.score, Pause())})
                resumed = replace(condition, health=health, pause=Pause(), factor=condition.factor.eased(now))
                await save_conditions(connection, {profile_id: resumed})
                change = ProfileChange("health", "paused", health.band, f"resumed by {by}")
                await note_changes(connection, [(profile_id, change)], now)
            if opened:
                change = ProfileChange("lanes", "blocked", "ok", f"resumed by {by}")
                await note_changes(connection, [(profile, change) for profile in sorted(opened)], now)
        self.on_lanes({profile_id} | opened)
