"""Window starts: which minutes each rolling window of a profile's counts contains."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from stats.core.sums import hour_of, minute_of

HOUR = timedelta(hours=1)
TWO_HOURS = timedelta(hours=2)
THREE_HOURS = timedelta(hours=3)
DAY = timedelta(days=1)
WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class WindowStarts:
    """Each window contains the minutes after its start, up to and including `until` (the current minute).

    The oldest minute, which is only partly within the window, is left out. So a window never shows more than its true
    rolling count. A profile that keeps its limits is never shown above them.
    """

    hour: datetime
    two_hours: datetime
    three_hours: datetime
    day: datetime
    week: datetime
    until: datetime

    @classmethod
    def at(cls, now: datetime) -> "WindowStarts":
        minute = minute_of(now)
        return cls(minute - HOUR, minute - TWO_HOURS, minute - THREE_HOURS, minute - DAY, minute - WEEK, minute)

    @property
    def whole_hours(self) -> tuple[datetime, datetime]:
        """The part of the week that is summed from whole hours: its start, and its end (excluded).

        The rest of the week, before and after this part, is summed from minutes.
        """
        return hour_of(self.week) + HOUR, max(hour_of(self.day), hour_of(self.week) + HOUR)
