"""Spans: the rolling windows that stats shows, as the minutes that each takes in."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from stats.core.tally import minute_of

HOUR = timedelta(hours=1)
THREE_HOURS = timedelta(hours=3)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Spans:
    """Each window takes the minutes after its moment, up to `until` (the present one).

    The oldest minute, of which only a part is still within the window, is left out: so a window never shows more than
    its true rolling count, and a profile that keeps its limits is never shown above them.
    """

    hour: datetime
    three_hours: datetime
    day: datetime
    until: datetime

    @classmethod
    def at(cls, now: datetime) -> "Spans":
        present = minute_of(now)
        return cls(present - HOUR, present - THREE_HOURS, present - DAY, present)
