"""Long run: when a queue is empty, by the pace that a profile keeps and by its limits.

The first releases of a queue are too few to show this pace. They come faster, because the tempo slows down only after
two hours, and a limit holds nothing until it is full.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pacer.core.forecast.queue_snapshot import QueueSnapshot
from pacer.core.gap import TEMPO_SPAN, Pace, pace
from pacer.core.hours import Hours
from pacer.core.limits import DAY
from pacer.core.policy import Rules

SHOWN_AFTER = timedelta(days=2)
"""A simulation of this length shows the pace over days and nights."""
HALVINGS = 24
"""How often the search for the kept pace halves its range."""


@dataclass(frozen=True, slots=True)
class LongRun:
    """`released`: the simulated releases, in order. `reached`: the time up to which the profile was simulated.
    `position`: the position of the simulated gaps in their range. `is_own_pace`: whether the simulated releases came at
    the pace of the profile, and not at that of its package."""

    snapshot: QueueSnapshot
    released: Sequence[datetime]
    reached: datetime
    now: datetime
    position: float
    is_own_pace: bool

    def end(self) -> datetime:
        """When the last delivery of the queue is released."""
        return self.snapshot.rules.hours.next_active(max(self._bounds()))

    def _bounds(self) -> Iterator[datetime]:
        """The time by the pace alone, and the times that the limits allow. A limit lets the release with this number
        go a window's length after the release that is as many places before it as the limit allows."""
        limits, waiting = self.snapshot.rules.limits, self.snapshot.load.waiting
        kept, gap = self._pace()
        past = [at for at in sorted(self.snapshot.releases) if at > self.now - DAY]
        last = len(past) + waiting - 1
        yield self._at(last, past, gap)
        if self.is_own_pace and self.released and self.reached - self.now >= SHOWN_AFTER:
            yield self.reached + (self.reached - self.now) / len(self.released) * (waiting - len(self.released))
        slack = kept.slack(self.position)
        for windows in {last // limits.per_day, max(last // limits.per_day - 1, 0)}:
            yield self._at(last - windows * limits.per_day, past, gap) + windows * (DAY + slack)
        cold = self.snapshot.cold
        for most, window in (
            (limits.new_contacts_per_day, DAY),
            (limits.unanswered_per_30_days, timedelta(days=30)),
        ):
            if most and cold:
                windows, rest = divmod(cold - 1, most)
                yield _advanced(self.snapshot.rules.hours, self.now + windows * window, gap * rest)

    def _at(self, number: int, past: Sequence[datetime], gap: float) -> datetime:
        """The time of a release by the pace alone. The numbers begin with the releases of the last day."""
        if number < len(past):
            return past[number]
        number -= len(past)
        if number < len(self.released):
            return self.released[number]
        return _advanced(self.snapshot.rules.hours, self.reached, gap * (number - len(self.released) + 1))

    def _pace(self) -> tuple[Pace, float]:
        """The pace that the profile keeps while much waits, and its gap in active seconds."""
        kept = kept_pace(self.snapshot.rules)
        return kept, kept.gap(self.position).total_seconds()


def kept_pace(rules: Rules) -> Pace:
    """The pace at which the releases of the last two hours make the very gap that led to their number."""
    active = rules.hours.active_seconds_a_day
    span = min(TEMPO_SPAN.total_seconds(), active)

    def pace_at(sent: float) -> Pace:
        return pace(rules.limits, rules.gap, active, rules.gap.rush_over + 1, sent, span, rules.spread)

    low, high = 1.0, rules.limits.per_day + 1.0  # the last release is one of them
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if middle * pace_at(middle).mean_seconds > span else (middle, high)
    return pace_at(low)


def _advanced(hours: Hours, at: datetime, seconds: float) -> datetime:
    """The time at which this many active seconds have passed since `at`."""
    days, rest = divmod(seconds, hours.active_seconds_a_day)
    at = hours.next_active(at) + days * DAY
    end = at + timedelta(seconds=rest)
    for _ in range(4):  # each turn adds the rests that the last one has reached
        missing = rest - hours.active_seconds(at, min(end, at + DAY))
        if missing <= 1:
            break
        end += timedelta(seconds=missing)
    return end
