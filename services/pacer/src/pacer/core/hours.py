"""Active hours: when a profile works and when it rests, by the package's own clock on the wall."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise, zip_longest
from zoneinfo import ZoneInfo

from spreader.contract.configuration import ActiveWindow, RestWindow

DAY = timedelta(days=1)
HOUR_SECONDS, DAY_SECONDS = 3_600.0, 86_400.0
DAYS_BEHIND, DAYS_AHEAD = 2, 3
PLAIN_DAY = datetime(2026, 1, 15, tzinfo=UTC)

Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Hours:
    """A daily rest window, or none, and the windows of work, or none for the whole day.

    A rest begins at a time of the wall clock (and `offset`, the profile's own) and lasts its hours, also when clocks
    change; a window of work begins and ends at times of the wall clock.
    """

    rest: RestWindow | None
    timezone: str
    windows: tuple[ActiveWindow, ...] = ()
    offset: timedelta = timedelta(0)

    @property
    def active_seconds_a_day(self) -> float:
        """On a day without a change of clocks; never 0."""
        if self.windows:
            return _active_seconds_a_day(self)
        return DAY_SECONDS if self.rest is None else DAY_SECONDS - HOUR_SECONDS * self.rest.hours

    def next_active(
        self, moment: datetime, margin: timedelta = timedelta(0), slack: timedelta = timedelta(0)
    ) -> datetime:
        """`moment`, or the end of the rest that it falls into.

        `margin`: rest is taken to begin that much earlier. `slack`: and to end that much later, though never so late
        that less than half of the hours of work is left.
        """
        closed = self._closed(moment)
        for (begin, end), after in zip_longest(closed, closed[1:]):
            if slack and after is not None:
                end += max(min(slack, (after[0] - margin - end) / 2), timedelta(0))
            if begin - margin <= moment < end:
                moment = end
        return moment

    def next_rest(self, moment: datetime) -> datetime | None:
        """When the next rest begins, at `moment` or later; None: it never rests."""
        return next((begin for begin, _ in self._closed(moment) if begin >= moment), None)

    def active_seconds(self, begin: datetime, end: datetime) -> float:
        """How many seconds of a span (of a day at most) are active."""
        rested = timedelta(0)
        for rest_begin, rest_end in self._closed(end):
            if rest_end > begin and rest_begin < end:
                rested += min(end, rest_end) - max(begin, rest_begin)
        return (end - begin - rested).total_seconds()

    def _closed(self, moment: datetime) -> tuple[Span, ...]:
        """The spans of rest around a moment, in order; none touches another."""
        if self.rest is None and not self.windows:
            return ()
        start, hours = (self.rest.start, self.rest.hours) if self.rest else (None, 0.0)
        return _closed_around(start, hours, self.offset, self.timezone, self.windows, moment.astimezone(UTC).date())


@lru_cache(maxsize=4096)
def _closed_around(
    start: time | None, hours: float, offset: timedelta, timezone: str, windows: tuple[ActiveWindow, ...], around: date
) -> tuple[Span, ...]:
    days = [around + day * DAY for day in range(-DAYS_BEHIND, DAYS_AHEAD + 1)]
    rests = [] if start is None else [(begin := _at(start, timezone, day) + offset, begin + timedelta(hours=hours))
                                      for day in days]  # fmt: skip
    return tuple(_merged([*rests, *_out_of_work(windows, timezone, days)]))


def _out_of_work(windows: tuple[ActiveWindow, ...], timezone: str, days: list[date]) -> Iterator[Span]:
    """What lies between the windows of work."""
    work = _merged(
        (_at(each.start, timezone, day), _at(each.end, timezone, day if each.end > each.start else day + DAY))
        for day in days
        for each in windows
    )
    return ((end, begin) for (_, end), (begin, _) in pairwise(work))


def _merged(spans: "Iterator[Span] | list[Span]") -> list[Span]:
    merged: list[Span] = []
    for begin, end in sorted(spans):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        elif end > begin:
            merged.append((begin, end))
    return merged


def _at(start: time, timezone: str, day: date) -> datetime:
    """In UTC. A time that the change of clocks skips is taken by the offset before the change."""
    return datetime.combine(day, start, tzinfo=ZoneInfo(timezone)).astimezone(UTC)


@lru_cache(maxsize=4096)
def _active_seconds_a_day(hours: Hours) -> float:
    return max(replace(hours, timezone="UTC").active_seconds(PLAIN_DAY, PLAIN_DAY + DAY), 1.0)
