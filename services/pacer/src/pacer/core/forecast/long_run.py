"""Long run: computes the time at which a queue will be empty, from the pace that a profile keeps and from its limits.

The first releases of a queue do not show this pace. They come faster, because the tempo lengthens the gaps only after
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
    `position`: where each gap of the forecast is between the shortest gap (0) and the longest (1).

    `is_own_pace`: whether the simulated releases show the profile's own pace. They do not if the package's own daily
    limit held most of them, or if the simulation was cut.
    """

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
        """Estimates of the time of the last release, of which the latest counts: one by the pace alone, one by the
        average pace of a long simulation, and one by each limit of a day or longer. With a limit of N in a window, a
        release can come at the earliest one window after the release that is N places before it."""
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
                windows, left = divmod(cold - 1, most)
                yield _advanced(self.snapshot.rules.hours, self.now + windows * window, gap * left)

    def _at(self, number: int, past: Sequence[datetime], gap: float) -> datetime:
        """The time of release `number`. Number 0 is the oldest release of the last day. A past or simulated release has
        its own time. The times of the releases after these follow from the pace alone."""
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
    """The steady pace of a long queue. The number of releases in two hours decides the gap, and the gap decides that
    number. At the steady pace, gap and number agree."""
    active = rules.hours.active_seconds_a_day
    span = min(TEMPO_SPAN.total_seconds(), active)

    def pace_at(sent: float) -> Pace:
        return pace(rules.limits, rules.gap, active, rules.gap.rush_over + 1, sent, span, rules.spread)

    low, high = 1.0, rules.limits.per_day + 1.0  # `sent` also counts the last release itself, so both ends are 1 higher
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if middle * pace_at(middle).mean_seconds > span else (middle, high)
    return pace_at(low)


def _advanced(hours: Hours, at: datetime, seconds: float) -> datetime:
    """The time at which this many active seconds have passed since `at`."""
    days, left = divmod(seconds, hours.active_seconds_a_day)
    at = hours.next_active(at) + days * DAY
    end = at + timedelta(seconds=left)
    for _ in range(4):
        # each turn adds the active seconds that are still missing, because a part of the time before `end` is inactive
        missing = left - hours.active_seconds(at, min(end, at + DAY))
        if missing <= 1:
            break
        end += timedelta(seconds=missing)
    return end
