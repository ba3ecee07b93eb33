"""Bucket: how often something may happen, kept as the single moment at which the bucket is full again."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Allowance:
    """One each `interval`; so many at once when nothing happened for long."""

    interval: timedelta
    burst: int


PAIR = Allowance(timedelta(seconds=6), 45)
"""Meta: to one customer from one number."""


@dataclass(frozen=True, slots=True)
class Bucket:
    full_at: datetime | None = None

    def take(self, allowance: Allowance, now: datetime) -> "Bucket | None":
        """The bucket without one more; None: it is empty."""
        full_at = max(self.full_at or now, now) + allowance.interval
        return Bucket(full_at) if full_at - now <= allowance.interval * allowance.burst else None
