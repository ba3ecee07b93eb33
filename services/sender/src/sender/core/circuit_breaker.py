"""Circuit breaker: decides whether a gateway host may be called now, from the calls that the host left unanswered.

While the breaker is closed, every call is allowed. When the host has left `failures_max` calls in a row unanswered, the
breaker opens, and a pause without calls begins. After the pause, one call at a time is allowed as a probe. The breaker
closes as soon as a probe is answered. If the probe is not answered, a longer pause begins.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

PAUSE_FACTOR = 2
DOUBLINGS_MAX = 20
"""The pause doubles at most this many times. It reaches `longest_pause` earlier, so this limit only keeps the computed
number small."""


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    failures_max: int = 5
    first_pause: timedelta = timedelta(seconds=2)
    longest_pause: timedelta = timedelta(seconds=60)
    probe_max: timedelta = timedelta(seconds=15)
    """A probe that has no result after this time counts as lost, and another probe is allowed."""


@dataclass(frozen=True, slots=True)
class CircuitBreaker:
    """All times are seconds of one monotonic clock, so `now` is never less than in an earlier call."""

    policy: BreakerPolicy = BreakerPolicy()
    failures: int = 0
    pauses: int = 0
    """The number of pauses since the host last answered."""
    open_until: float | None = None
    """No call is allowed before this time. None: the breaker is closed."""

    @property
    def is_open(self) -> bool:
        return self.open_until is not None

    def pause_left(self, now: float) -> timedelta:
        """The time until a call is allowed; zero if one is allowed now."""
        until = self.open_until
        return timedelta(seconds=max(0.0, until - now)) if until is not None else timedelta(0)

    def on_call(self, now: float) -> "CircuitBreaker":
        """A call begins. While the breaker is open, the call is a probe, and the next probe waits until this one has
        ended."""
        if self.open_until is None:
            return self
        return replace(self, open_until=now + self.policy.probe_max.total_seconds())

    def on_answer(self) -> "CircuitBreaker":
        return CircuitBreaker(self.policy)

    def on_silence(self, now: float, probe: bool) -> "CircuitBreaker":
        """A call ended without an answer. `probe`: the call began while the breaker was open.

        Calls that were in flight when the breaker opened do not lengthen the pause.
        """
        if self.is_open and not probe:
            return self
        failures = self.failures + 1
        if self.open_until is None and failures < self.policy.failures_max:
            return replace(self, failures=failures)
        grown = self.policy.first_pause * PAUSE_FACTOR ** min(self.pauses, DOUBLINGS_MAX)
        pause = min(grown, self.policy.longest_pause)
        return replace(self, failures=failures, pauses=self.pauses + 1, open_until=now + pause.total_seconds())
