"""Reading: what another service said last, and whether it still holds."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Generic, TypeVar

T = TypeVar("T")

FRESH_FOR = timedelta(seconds=5)  # of real time; asked every second, with a time-out of two


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    value: T
    seen_at: datetime | None = None
    """When it was said; None: nothing was heard yet, and `value` stands for nothing."""
    trouble: str | None = None
    """Why nothing newer was heard; None when the last question was answered."""

    def heard(self, value: T, now: datetime) -> "Reading[T]":
        return Reading(value, now)

    def missed(self, trouble: str) -> "Reading[T]":
        return replace(self, trouble=trouble)

    def is_fresh(self, now: datetime) -> bool:
        return self.trouble is None and self.seen_at is not None and now - self.seen_at <= FRESH_FOR
