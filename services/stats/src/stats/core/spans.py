"""Spans: the rolling windows that stats shows, as the minutes that each takes in."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from stats.core.sums import hour_of, minute_of

HOUR = timedelta(hours=1)
TWO_HOURS = timedelta(hours=2)
THREE_HOURS = timedelta(hours=3)
DAY = timedelta(days=1)
WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Spans:
    """Each window takes the minutes after its moment, up to `until` (the present one).

    The oldest minute, of which only a part is still within the window, is left out: so a window never shows more than
    its true rolling count, and a profile that keeps its limits is never shown above them.
    """

    hour: datetime
    two_hours: datetime
    three_hours: datetime
    day: datetime
    week: datetime
    until: datetime

    @classmethod
    def at(cls, now: datetime) -> "Spans":
        present = minute_of(now)
        return cls(present - HOUR, present - TWO_HOURS, present - THREE_HOURS, present - DAY, present - WEEK, present)

    @property
    def whole_hours(self) -> tuple[datetime, datetime]:
        """The first and the last (not included) of the hours that lie wholly within the week, up to the day's window.

        The week is long: it is summed up by the hour there, and by the minute at both its ends.
        """
        return hour_of(self.week) + HOUR, max(hour_of(self.day), hour_of(self.week) + HOUR)
