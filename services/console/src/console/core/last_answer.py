"""Last answer: the newest data that a service returned, with its age and the error of any later request."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Generic, TypeVar

T = TypeVar("T")

FRESH_FOR = timedelta(seconds=5)  # wall time; most queries run every second or two


@dataclass(frozen=True, slots=True)
class LastAnswer(Generic[T]):
    value: T
    received_at: datetime | None = None
    """None: no request has succeeded yet, and `value` means nothing."""
    error: str | None = None
    """Why the newest request failed; None if it succeeded."""
    is_refused: bool = False
    """Whether the service refused the request, for example because the package does not exist."""

    def succeeded(self, value: T, now: datetime) -> "LastAnswer[T]":
        """Keep the old object if the value is equal, so that no page is redrawn."""
        return LastAnswer(self.value if value == self.value else value, now)

    def failed(self, error: str, is_refused: bool = False) -> "LastAnswer[T]":
        return replace(self, error=error, is_refused=is_refused)

    def is_fresh(self, now: datetime, interval: timedelta = timedelta(0)) -> bool:
        """Whether the value is recent, given the interval of its query. One failed request does not make it stale."""
        return not self.is_refused and self.received_at is not None and now - self.received_at <= FRESH_FOR + interval
