"""Recounting: the loop that holds what was sent against the limits, apart from whoever keeps them. It finds nothing.

A limit that was changed is held against what is sent a while later: what was on its way then went out by the old one.
So nothing is judged in the first minutes of a process, either.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.clock import Clock
from spreader.contract.configuration import Profile, ProfileLimits
from stats.core.breaches import breaches
from stats.counting.sql_gauges import sent_since
from stats.metrics import BREACHES, RECOUNTED

log = structlog.get_logger()

TURN_SECONDS = 5.0
AT_ONCE_MAX = 200


@dataclass(frozen=True, slots=True)
class AuditDelays:
    """In the system's time. `grace`: after a change of limits; `settling`: until what was sent is surely counted."""

    grace: timedelta
    settling: timedelta
    tolerance: timedelta

    @classmethod
    def of(cls, clock: Clock) -> "AuditDelays":
        minutes = (timedelta(minutes=5), timedelta(seconds=10), timedelta(seconds=30))
        return cls(*map(clock.system, minutes))


@dataclass
class LimitAudit:
    engine: AsyncEngine
    profiles: Callable[[], Mapping[str, Profile]]
    clock: Callable[[], datetime]
    patience: AuditDelays
    _limits: dict[str, tuple[ProfileLimits, datetime]] = field(
        default_factory=dict[str, tuple[ProfileLimits, datetime]], init=False
    )
    """Those in force, and until when what was sent is not judged, or has been."""
    _waiting: dict[str, None] = field(default_factory=dict[str, None], init=False)

    def look_at(self, profiles: Iterable[str]) -> None:
        """Something was sent."""
        self._waiting.update(dict.fromkeys(profiles))

    async def turn(self) -> float:
        now = self.clock()
        self._learn(now)
        waiting = [name for name in self._waiting if name in self._limits]
        due, self._waiting = waiting[:AT_ONCE_MAX], dict.fromkeys(waiting[AT_ONCE_MAX:])
        try:
            await self._recount(due, now - self.patience.settling)
        except BaseException:
            self.look_at(due)
            raise
        return TURN_SECONDS

    def _learn(self, now: datetime) -> None:
        configured = self.profiles()
        for name, profile in configured.items():
            known = self._limits.get(name)
            if known is None or known[0] != profile.limits:
                self._limits[name] = (profile.limits, now + self.patience.grace)
        for name in self._limits.keys() - configured.keys():
            del self._limits[name]

    async def _recount(self, names: Iterable[str], until: datetime) -> None:
        judged = {name: self._limits[name][1] for name in names}
        ready = {name: after - timedelta(days=1) for name, after in judged.items() if after < until}
        self.look_at(name for name in judged if name not in ready)
        found = await sent_since(self.engine, ready)
        for name in ready:
            limits, after = self._limits[name]
            sent = [at for at in found.get(name, ()) if at <= until]
            for window, count in breaches(sent, limits, after, self.patience.tolerance).items():
                if count:
                    BREACHES.labels(window).inc(count)
                    log.error("more was sent than a limit allows", profile_id=name, window=window, sent_too_many=count)
            RECOUNTED.inc(sum(at > after for at in sent))
            self._limits[name] = (limits, until)
            if any(at > until for at in found.get(name, ())):
                self.look_at([name])
