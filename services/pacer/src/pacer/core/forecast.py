"""Forecast: the policy run forward on what waits: when would the last of these deliveries go?"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pacer.core.limits import rolling
from pacer.core.policy import TEMPO_SPAN, Facts, Head, Release, Rules, decide
from pacer.core.waiting import ORDINARY

MIDDLE = 0.5  # of the range of the gap
STEPS_MAX = 1_000  # of a profile; what lies beyond goes on at the pace of the steps before
SOONEST = timedelta(microseconds=1)


@dataclass
class Course:
    """A profile's releases so far, going on: real ones first, then the ones that the forecast makes."""

    rules: Rules
    releases: deque[datetime]
    now: datetime
    _first: datetime | None = field(default=None, init=False)

    def next_release(self, waiting: int, not_before: datetime) -> datetime:
        """Make the next release and answer its moment; `waiting` counts it too."""
        head = Head("", ORDINARY, not_before)
        while True:
            decision = decide(self.rules, self._facts(waiting), head, self.now)
            if isinstance(decision, Release):
                self.releases.append(self.now)
                return self.now
            self.now = max(decision.until or self.now, self.now + SOONEST)

    def _facts(self, waiting: int) -> Facts:
        past = self.releases
        free: dict[str, datetime | None] = {}
        for limit in rolling(self.rules.limits):
            if len(past) >= limit.releases_max:
                room = past[-limit.releases_max] + limit.window
                if room > self.now:
                    free[limit.name] = room
        lately = 0
        for moment in reversed(past):
            if moment <= self.now - TEMPO_SPAN:
                break
            lately += 1
        return Facts(past[-1] if past else None, free, lately, waiting, MIDDLE, at_gateway=0)


def completion(
    rules: Rules, past: Sequence[datetime], not_befores: Sequence[datetime], ahead: int, now: datetime
) -> datetime | None:
    """When the last of a profile's deliveries would go: `ahead` wait already, `not_befores` come behind them in order.

    None: nothing goes (it is stopped). Past STEPS_MAX releases the rest is reckoned at the pace reached by then.
    """
    if rules.stopped is not None or not not_befores:
        return None
    course = Course(rules, deque(sorted(past)), now)
    moments = [now] * ahead + list(not_befores)
    releases: list[datetime] = []
    for number, not_before in enumerate(moments[:STEPS_MAX]):
        due = sum(1 for each in moments[number : number + rules.gap.rush_over + 1] if each <= course.now)
        releases.append(course.next_release(max(due, 1), not_before))
    if len(moments) <= STEPS_MAX:
        return releases[-1]
    pace = (releases[-1] - releases[0]) / (len(releases) - 1)
    return max(releases[-1] + pace * (len(moments) - STEPS_MAX), moments[-1])
