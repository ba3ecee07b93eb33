"""Limit factor: what the operator's limits are multiplied by, derived from the profile's health."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from spreader.contract.events import Quality, Quota
from stats.core.evidence import AccountStatus

LOWEST, HIGHEST = 0.1, 1.0
HALVED_AT_MOST_EVERY = timedelta(hours=6)
CLEAN_DAY = timedelta(days=1)
STEP_UP = 0.1
HALF_LIMITS = 0.5
QUALITY_SHARE: dict[Quality, float] = {"yellow": 0.5, "red": 0.5}
QUOTA_SHARE = {"first": 0.5, "second": 0.2, "capped": 0.1}


@dataclass(frozen=True, slots=True)
class LimitFactor:
    value: float = HIGHEST
    cause: str | None = None
    halved_at: datetime | None = None
    stepped_at: datetime | None = None
    """The last change, or the last time that a block signal was present. Clean days count from here."""

    def halved(self, cause: str, now: datetime) -> "LimitFactor":
        """The factor after a new block signal: halved, but at most once in 6 hours."""
        if self.halved_at is not None and now - self.halved_at < HALVED_AT_MOST_EVERY:
            return replace(self, stepped_at=now)
        value = max(LOWEST, round(self.value / 2, 3))
        return LimitFactor(value, f"halved at {_minute(now)}: {cause}", halved_at=now, stepped_at=now)

    def eased(self, now: datetime) -> "LimitFactor":
        """The factor after a pause by health: at most half."""
        if self.value <= HALF_LIMITS:
            return replace(self, stepped_at=now)
        return replace(self, value=HALF_LIMITS, cause=f"back from a pause since {_minute(now)}", stepped_at=now)

    def recovered(self, now: datetime) -> "LimitFactor":
        """The factor after the clean days since the last change. Each clean day raises it by one step."""
        if self.stepped_at is None or self.value >= HIGHEST:
            return self
        days = (now - self.stepped_at) // CLEAN_DAY
        if days < 1:
            return self
        value = min(HIGHEST, round(self.value + days * STEP_UP, 3))
        cause = None if value >= HIGHEST else self.cause
        return replace(self, value=value, cause=cause, stepped_at=self.stepped_at + days * CLEAN_DAY)

    def in_force(self, account: AccountStatus) -> tuple[float, str | None]:
        """The factor, capped by the reported quality and quota, and the cause of its value. If the factor is 1, the
        cause is None."""
        caps: Sequence[tuple[float, str | None]] = (
            (self.value, self.cause),
            _quality_cap(account.quality),
            _quota_cap(account.quota),
        )
        value, cause = min(caps, key=lambda cap: cap[0])
        return value, cause if value < HIGHEST else None


def _quality_cap(quality: Quality | None) -> tuple[float, str | None]:
    share = HIGHEST if quality is None else QUALITY_SHARE.get(quality, HIGHEST)
    return share, f"the gateway rates the number {quality}"


def _quota_cap(quota: Quota | None) -> tuple[float, str | None]:
    if quota is None:
        return HIGHEST, None
    cause = f"WhatsApp has counted {quota.used} of {quota.total} new chats"
    return QUOTA_SHARE.get(quota.warning, HIGHEST), cause


def _minute(at: datetime) -> str:
    return at.isoformat(timespec="minutes")
