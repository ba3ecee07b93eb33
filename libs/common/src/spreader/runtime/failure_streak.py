"""Failure streak: the failures in a row of one piece of work. A long streak is reported."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

REPORTED_FAILURES = 5
REPORTED_SECONDS = 60.0
FORGOTTEN_SECONDS = 180.0
ERROR_CHARACTERS_MAX = 300


@dataclass
class FailureStreak:
    """A streak is reported after 5 failures in a row, or when the failures have gone on for 60 s.

    The first success ends the streak. Without a success, the streak ends 3 minutes after the last failure. A consumer
    whose partition went to another process needs this, because it learns nothing of a success there.
    """

    now: Callable[[], float] = time.monotonic
    count: int = field(default=0, init=False)
    _since: float = field(default=0.0, init=False)
    _last_at: float = field(default=0.0, init=False)
    _last_error: str = field(default="", init=False)

    def failed(self, error: BaseException) -> None:
        self._last_at = self.now()
        if self.count == 0:
            self._since = self._last_at
        self.count += 1
        self._last_error = f"{type(error).__name__}: {error}"[:ERROR_CHARACTERS_MAX]

    def succeeded(self) -> None:
        self.count = 0

    def report(self) -> str | None:
        """How often and for how long the work has failed, and its last error. None while no report is due."""
        seconds = self._last_at - self._since
        if self.count < REPORTED_FAILURES and seconds < REPORTED_SECONDS:
            return None
        if self.count == 0 or self.now() - self._last_at > FORGOTTEN_SECONDS:
            return None
        return f"{self.count} failures in a row for {seconds:.0f} s; the last one: {self._last_error}"
