"""Rate bucket: a token bucket, stored as the time at which it is full again."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Allowance:
    """One message is allowed in each `interval`, and after a pause up to `burst` messages at once."""

    interval: timedelta
    burst: int


PAIR = Allowance(timedelta(seconds=6), 45)
"""Meta's limit for messages from one number to one customer (error 131056)."""


@dataclass(frozen=True, slots=True)
class RateBucket:
    full_at: datetime | None = None

    def take(self, allowance: Allowance, now: datetime) -> "RateBucket | None":
        """The bucket after one token was taken. None: the bucket is empty."""
        full_at = max(self.full_at or now, now) + allowance.interval
        return RateBucket(full_at) if full_at - now <= allowance.interval * allowance.burst else None
