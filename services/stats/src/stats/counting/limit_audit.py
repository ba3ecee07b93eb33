"""Limit audit: independently recounts sent messages against the limits. It should never find a breach.

After a change of limits, messages that the pacer released under the old limits are still on their way. So a profile is
not audited for a grace period after each change. After a start, no profile is audited for this time either, because
stats does not know when the limits last changed.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from spreader.clock import Clock
from spreader.contract.configuration import Profile, ProfileLimits
from stats.core.breaches import breaches
from stats.counting.store import CountStore
from stats.metrics import BREACHES, RECOUNTED

log = structlog.get_logger()

TURN_SECONDS = 5.0
AT_ONCE_MAX = 200


@dataclass(frozen=True, slots=True)
class AuditDelays:
    """Durations in system time."""

    grace: timedelta
    """The time from a change of limits until messages are audited against the new limits."""
    settling: timedelta
    """Messages sent longer ago than this are certainly counted."""
    tolerance: timedelta
    """See `stats.core.breaches.breaches`."""

    @classmethod
    def of(cls, clock: Clock) -> "AuditDelays":
        real = (timedelta(minutes=5), timedelta(seconds=10), timedelta(seconds=30))
        return cls(*map(clock.system, real))


@dataclass(frozen=True, slots=True)
class _Audit:
    limits: ProfileLimits
    until: datetime
    """Messages sent up to this time need no audit, because they are audited already or belong to the grace period."""


@dataclass
class LimitAudit:
    store: CountStore
    profiles: Callable[[], Mapping[str, Profile]]
    clock: Callable[[], datetime]
    delays: AuditDelays
    _audits: dict[str, _Audit] = field(default_factory=dict[str, _Audit], init=False)
    _waiting: dict[str, None] = field(default_factory=dict[str, None], init=False)

    def schedule(self, profiles: Iterable[str]) -> None:
        """Audit these profiles soon, because they may have sent messages."""
        self._waiting.update(dict.fromkeys(profiles))

    async def turn(self) -> float:
        now = self.clock()
        self._update_limits(now)
        waiting = [profile for profile in self._waiting if profile in self._audits]
        due, self._waiting = waiting[:AT_ONCE_MAX], dict.fromkeys(waiting[AT_ONCE_MAX:])
        try:
            await self._audit(due, now - self.delays.settling)
        except BaseException:
            self.schedule(due)
            raise
        return TURN_SECONDS

    def _update_limits(self, now: datetime) -> None:
        configured = self.profiles()
        for name, profile in configured.items():
            audit = self._audits.get(name)
            if audit is None or audit.limits != profile.limits:
                self._audits[name] = _Audit(profile.limits, now + self.delays.grace)
        for name in self._audits.keys() - configured.keys():
            del self._audits[name]

    async def _audit(self, profiles: Iterable[str], until: datetime) -> None:
        audits = {profile: self._audits[profile] for profile in profiles}
        ready = {profile: audit for profile, audit in audits.items() if audit.until < until}
        self.schedule(profile for profile in audits if profile not in ready)
        since = {profile: audit.until - timedelta(days=1) for profile, audit in ready.items()}
        sent_by_profile = await self.store.sent_since(since)
        for profile in ready:
            audit, sent = self._audits[profile], sent_by_profile.get(profile, [])
            self._audit_profile(profile, audit, [at for at in sent if at <= until])
            self._audits[profile] = _Audit(audit.limits, until)
            if any(at > until for at in sent):
                self.schedule([profile])

    def _audit_profile(self, profile: str, audit: _Audit, sent: list[datetime]) -> None:
        for window, count in breaches(sent, audit.limits, audit.until, self.delays.tolerance).items():
            if count:
                BREACHES.labels(window).inc(count)
                log.error(
                    "more messages were sent than a limit allows", profile_id=profile, window=window, excess=count
                )
        RECOUNTED.inc(sum(at > audit.until for at in sent))
