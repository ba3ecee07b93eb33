"""Judging: the loop that looks at what is known of profiles, and settles their health, factor and alerts.

Everything that a judgement changes is one transaction, with the profiles locked: two instances that judge the same one
come to the same end. What a crash kept from being judged is found by the next look at everyone.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from spreader.clock import Now
from spreader.contract.configuration import Profile
from spreader.contract.ids import new_id
from stats.config_cache import StatsConfigCache
from stats.core.alerts import StoredAlert, differences
from stats.core.closures import Closure
from stats.core.condition import Evaluation, evaluate
from stats.core.evidence import AccountStatus, Evidence, PackageBaseline
from stats.core.evidence_assembly import assemble_evidence
from stats.counting.lane_closures import LaneClosures
from stats.counting.sql_changes import note_changes
from stats.counting.sql_closures import closures_seen, reported
from stats.health.sql_alerts import open_alerts, save_alerts
from stats.health.sql_conditions import lock_conditions, save_conditions
from stats.health.sql_evidence import STUCK_AFTER, gather, usual
from stats.metrics import JUDGED

TURN_SECONDS = 2.0
AT_ONCE_MAX = 200
AGAIN_SECONDS = 10.0
"""Of real time: so long a profile whose counts change all the time is let alone after it was judged."""
EVERYONE_EVERY = timedelta(minutes=5)


@dataclass
class Evaluator:
    engine: AsyncEngine
    directory: StatsConfigCache
    lanes: LaneClosures
    clock: Now
    touch: Callable[[Iterable[str]], None]
    """Told which profiles were judged anew."""
    is_behind: Callable[[], bool] = lambda: False
    """Whether what would be judged by is not read yet: then nobody is."""
    silence_tells: Callable[[], bool] = lambda: True
    """Whether we have listened for so long that what was not heard is a sign."""
    again_seconds: float = AGAIN_SECONDS
    _waiting: dict[str, None] = field(default_factory=dict[str, None], init=False)
    _judged_at: dict[str, float] = field(default_factory=dict[str, float], init=False)
    _everyone_at: datetime | None = field(default=None, init=False)

    def look_at(self, profiles: Iterable[str]) -> None:
        """Something about these has changed: soon."""
        self._waiting.update(dict.fromkeys(profiles))

    def look_now(self, profiles: Iterable[str]) -> None:
        """Their lanes have changed: in the next turn."""
        for profile in profiles:
            self._judged_at.pop(profile, None)
            self._waiting[profile] = None

    async def turn(self) -> float:
        if self.is_behind():
            return TURN_SECONDS
        now = self.clock()
        if self._everyone_at is None or now - self._everyone_at >= EVERYONE_EVERY:
            self._everyone_at = now
            self.look_at(self.directory.roster())
        rested = time.monotonic() - self.again_seconds
        due = [each for each in self._waiting if self._judged_at.get(each, rested) <= rested]
        now_due = due[:AT_ONCE_MAX]
        for profile in now_due:  # before: whoever changes while it is judged waits again
            self._waiting.pop(profile, None)
        try:
            await self.evaluate(now_due, now)
        except BaseException:
            self.look_now(now_due)
            raise
        self._judged_at.update(dict.fromkeys(now_due, time.monotonic()))
        return 0 if len(due) > AT_ONCE_MAX else TURN_SECONDS

    async def evaluate(self, names: Sequence[str], now: datetime) -> None:
        packages, configured = self.directory.roster(), self.directory.profiles()
        profiles = {name: configured[name] for name in names if name in configured}
        if not profiles:
            return
        async with self.engine.begin() as connection:
            known = await lock_conditions(connection, profiles)
            alerts = await open_alerts(connection, profiles)
            evidence = await self._evidence(connection, profiles, now)
            judged = {
                name: evaluate(name, evidence[name], known.get(name), alerts.get(name, {}), now)
                for name in sorted(profiles)
            }
            await save_conditions(connection, {name: each.condition for name, each in judged.items()})
            await note_changes(connection, [(name, each) for name in judged for each in judged[name].changes], now)
            signs = [sign for each in judged.values() for sign in each.signs]
            await self.lanes.take(connection, signs, (), now)
            changed = [
                alert
                for name, judgement in judged.items()
                for alert in _alerts(name, packages[name], alerts.get(name, {}), judgement, now)
            ]
            await save_alerts(connection, changed, now)
        JUDGED.inc(len(judged))
        self.touch(judged)

    async def _evidence(
        self, connection: AsyncConnection, profiles: Mapping[str, Profile], now: datetime
    ) -> dict[str, Evidence]:
        packages = self.directory.roster()
        gathered = await gather(connection, profiles, now)
        usuals = await usual(connection, {packages[name] for name in profiles}, now)
        told = await reported(connection, profiles)
        shut: dict[str, list[Closure]] = {}
        for closure in (await closures_seen(connection, profiles, now)).values():
            shut.setdefault(closure.profile_id, []).append(closure)
        hears = self.silence_tells()
        return {
            name: assemble_evidence(
                gathered[name], profile, usuals.get(packages[name], PackageBaseline()), told.get(name, AccountStatus()),
                shut.get(name, ()), STUCK_AFTER if hears and profile.gateway.driver != "simulator" else None, now,
            )
            for name, profile in profiles.items()
        }  # fmt: skip


def _alerts(
    profile_id: str, package_id: str, known: Mapping[str, StoredAlert], judged: Evaluation, now: datetime
) -> list[StoredAlert]:
    new, changed = differences(known, judged.alert_reasons, now)
    raised = [
        StoredAlert(new_id("alr", now), profile_id, package_id, each.kind, each.severity, each.evidence, now)
        for each in new
    ]
    return [*raised, *changed]
