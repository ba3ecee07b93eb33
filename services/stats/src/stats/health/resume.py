"""Resuming: an operator says that lanes of a profile work again, and is believed."""

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
    lanes: LaneClosures
    clock: Now
    touch: Callable[[Iterable[str]], None]

    async def resume(self, profile_id: str, lane: Lane | None, by: str) -> None:
        """Both lanes without `lane`. Idempotent; what is still wrong closes it again."""
        now = self.clock()
        lifted = Lift(profile_id, now, frozenset(CLOSURE_RULES), lanes=LANES if lane is None else (lane,))
        async with self.engine.begin() as connection:
            known = (await lock_conditions(connection, [profile_id])).get(profile_id)
            opened = await self.lanes.take(connection, (), [lifted], now)
            if known is not None and known.pause.since is not None and lane != "reply":
                health = known.health.model_copy(update={"band": band(known.health.score, Pause())})
                back = replace(known, health=health, pause=Pause(), factor=known.factor.eased(now))
                await save_conditions(connection, {profile_id: back})
                change = ProfileChange("health", "paused", health.band, f"resumed by {by}")
                await note_changes(connection, [(profile_id, change)], now)
            if opened:
                said = ProfileChange("lanes", "blocked", "ok", f"resumed by {by}")
                await note_changes(connection, [(each, said) for each in sorted(opened)], now)
        self.touch({profile_id} | opened)
