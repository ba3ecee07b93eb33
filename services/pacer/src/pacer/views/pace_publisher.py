"""Pace: what the pacer shows of each profile that it has looked at, told when it changes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from pacer.core.policy import Release, Wait
from pacer.core.release_pass import Due, Looked
from pacer.sql import views as views
from spreader.contract.events import ProfilePace
from spreader.kafka.bus import Bus

TELL_EVERY_SECONDS = 1.0
HELD_COUNTED_MAX = 100_000


@dataclass
class Paces:
    """Keeps the newest of each profile and publishes it at most once a second: readers see it, nobody counts by it."""

    bus: Bus
    engine: AsyncEngine
    _changed: dict[str, ProfilePace] = field(default_factory=dict[str, ProfilePace], init=False)
    _told: dict[str, ProfilePace] = field(default_factory=dict[str, ProfilePace], init=False)

    def note(self, looks: Sequence[tuple[Due, Looked]], now: datetime) -> None:
        for due, looked in looks:
            if looked.decision is not None:
                self._changed[due.profile_id] = _pace(due, looked.decision, now)
            elif due.profile_id in self._told:
                idle = self._told[due.profile_id]
                update = {"waiting": 0, "next_release": None, "bound": "nothing waits", "at": now}
                self._changed[due.profile_id] = idle.model_copy(update=update)

    async def turn(self) -> float:
        changed, self._changed = self._changed, {}
        news = [pace for pace in changed.values() if not _same(pace, self._told.get(pace.profile_id))]
        try:
            held = await self._held([pace.profile_id for pace in news])
            await self.bus.publish(*(pace.model_copy(update=held.get(pace.profile_id)) for pace in news))
        except BaseException:
            self._changed = {**changed, **self._changed}
            raise
        self._told |= {pace.profile_id: pace for pace in news}
        return TELL_EVERY_SECONDS

    async def _held(self, profiles: Sequence[str]) -> dict[str, dict[str, Any]]:
        """How much waits for each, and what is counted in that: counted when it is told, no further than needed."""
        if not profiles:
            return {}
        async with self.engine.connect() as connection:
            asked = {"profile_ids": list(profiles), "count_max": HELD_COUNTED_MAX}
            rows = await connection.execute(views.HELD, asked)
            return {row.profile_id: {"held": row.deliveries, "assigned_until": row.assigned_until} for row in rows}


def _pace(due: Due, decision: Release | Wait, now: datetime) -> ProfilePace:
    released = isinstance(decision, Release)
    paced = decision.pace
    return ProfilePace(
        profile_id=due.profile_id,
        package_id=due.package_id,
        waiting=due.facts.waiting,
        last_release=now if released else due.facts.last_release,
        next_release=now if isinstance(decision, Release) else decision.until,
        bound="released" if isinstance(decision, Release) else decision.bound,
        bounds={} if isinstance(decision, Release) else dict(decision.bounds),
        base_seconds=paced.base_seconds,
        pressure=paced.pressure,
        tempo=paced.tempo,
        mean_seconds=paced.mean_seconds,
        gap_min_seconds=paced.gap(0).total_seconds(),
        gap_max_seconds=paced.gap(1).total_seconds(),
        limit_factor=due.rules.factor,
        warm_up=due.rules.warm_up,
        limits=due.rules.limits,
        at=now,
    )


def _same(pace: ProfilePace, told: ProfilePace | None) -> bool:
    return told is not None and pace.model_copy(update={"at": told.at}) == told
