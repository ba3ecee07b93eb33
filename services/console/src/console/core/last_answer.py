"""Last answer: the newest data that a service returned.

It keeps the time at which the data came. If the newest request failed, it keeps the error too.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Generic, TypeVar

T = TypeVar("T")

FRESH_FOR = timedelta(seconds=5)  # in wall time. Most queries are repeated every second or two.


@dataclass(frozen=True, slots=True)
class LastAnswer(Generic[T]):
    value: T
    received_at: datetime | None = None
    """When the value came. None until a request has succeeded. Until then `value` has no meaning."""
    error: str | None = None
    """Why the newest request failed. None if the request succeeded."""
    is_refused: bool = False
    """Whether the service refused the request, for example because the package does not exist."""

    def succeeded(self, value: T, now: datetime) -> "LastAnswer[T]":
        """The answer after a successful request.

        If the new value equals the old value, the old object is kept, because pages redraw only when they get a new
        object.
        """
        return LastAnswer(self.value if value == self.value else value, now)

    def failed(self, error: str, is_refused: bool = False) -> "LastAnswer[T]":
        return replace(self, error=error, is_refused=is_refused)

    def is_fresh(self, now: datetime, interval: timedelta = timedelta(0)) -> bool:
        """Whether the value is recent enough for a query that is repeated after each `interval`.

        A single request without a response does not make the value old. A refusal makes it old at once.
        """
        return not self.is_refused and self.received_at is not None and now - self.received_at <= FRESH_FOR + interval
