"""Breaker: whether a gateway's host may be called now, after calls that it did not answer.

Closed: all may call. After `failures_max` calls in a row without an answer it is open: nobody calls for a while. Then
one call at a time is let through to probe; an answer closes it, silence opens it for longer.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

PAUSE_FACTOR = 2


@dataclass(frozen=True, slots=True)
class Patience:
    failures_max: int = 5
    first: timedelta = timedelta(seconds=2)
    longest: timedelta = timedelta(seconds=60)
    probe: timedelta = timedelta(seconds=15)
    """A probe that has said nothing for so long was lost: another may go."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """Moments are seconds of one clock that only runs forward; `now` is never before an earlier one."""

    patience: Patience = Patience()
    failures: int = 0
    opened: int = 0
    """How often in a row."""
    closed_until: float | None = None
    """The host is let alone until then; None: it may be called."""

    @property
    def is_open(self) -> bool:
        return self.closed_until is not None

    def remaining(self, now: float) -> timedelta:
        """How long no call may be made; zero: one may."""
        until = self.closed_until
        return timedelta(seconds=max(0.0, until - now)) if until is not None else timedelta(0)

    def called(self, now: float) -> "Breaker":
        """A call begins. Where it is a probe, the next must wait for its end."""
        if self.closed_until is None:
            return self
        return replace(self, closed_until=now + self.patience.probe.total_seconds())

    def answered(self) -> "Breaker":
        return Breaker(self.patience)

    def silent(self, now: float, probe: bool) -> "Breaker":
        """A call ended without an answer. `probe`: it began while the breaker was open.

        The others under way when it opened tell nothing new, however many they are.
        """
        if self.is_open and not probe:
            return self
        failures = self.failures + 1
        if self.closed_until is None and failures < self.patience.failures_max:
            return replace(self, failures=failures)
        grown = self.patience.first * PAUSE_FACTOR ** min(self.opened, 20)
        pause = min(grown, self.patience.longest)
        return replace(self, failures=failures, opened=self.opened + 1, closed_until=now + pause.total_seconds())
