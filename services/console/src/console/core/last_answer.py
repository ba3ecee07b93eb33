"""Reading: what another service said last, and whether it still holds."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Generic, TypeVar

T = TypeVar("T")

FRESH_FOR = timedelta(seconds=5)  # of real time; asked every second or two


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    value: T
    seen_at: datetime | None = None
    """When it was said; None: nothing was heard yet, and `value` stands for nothing."""
    trouble: str | None = None
    """Why nothing newer was heard; None when the last question was answered."""
    is_refused: bool = False
    """Whether it was answered with a no, such as `there is no such package`."""

    def heard(self, value: T, now: datetime) -> "Reading[T]":
        """The same value stays the same object, so that nobody draws it again."""
        return Reading(self.value if value == self.value else value, now)

    def missed(self, trouble: str, is_refused: bool = False) -> "Reading[T]":
        return replace(self, trouble=trouble, is_refused=is_refused)

    def is_fresh(self, now: datetime, every: timedelta = timedelta(0)) -> bool:
        """`every`: how often it is asked for. A question that was missed makes nothing old by itself: time does."""
        return not self.is_refused and self.seen_at is not None and now - self.seen_at <= FRESH_FOR + every
