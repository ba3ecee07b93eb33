"""Active hours: when a profile works and when it rests, in the package's time zone."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise, zip_longest
from zoneinfo import ZoneInfo

from spreader.contract.configuration import ActiveWindow, RestWindow

DAY = timedelta(days=1)
HOUR_SECONDS, DAY_SECONDS = 3_600.0, 86_400.0
DAYS_BEHIND, DAYS_AHEAD = 2, 3
"""The rests around a time are computed for this many days before it and after it."""
PLAIN_DAY = datetime(2026, 1, 15, tzinfo=UTC)
"""The day whose active seconds are counted. It could be any day, because the seconds are counted in UTC, which has no
clock changes."""

Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Hours:
    """An optional daily rest window, and optional windows of work. Without windows of work, a profile works all day
    except in its rest window.

    A rest begins at a local time, shifted by the profile's own `offset`. It lasts a fixed number of hours, even when
    the clocks change. A window of work begins and ends at local times.
    """

    rest: RestWindow | None
    timezone: str
    windows: tuple[ActiveWindow, ...] = ()
    offset: timedelta = timedelta(0)

    @property
    def active_seconds_a_day(self) -> float:
        """Active seconds of a day without a clock change; never 0."""
        if self.windows:
            return _active_seconds_a_day(self)
        return DAY_SECONDS if self.rest is None else DAY_SECONDS - HOUR_SECONDS * self.rest.hours

    def next_active(
        self, at: datetime, margin: timedelta = timedelta(0), start_delay: timedelta = timedelta(0)
    ) -> datetime:
        """`at`, or the end of the rest that contains it.

        Each rest is treated as if it began `margin` earlier and ended `start_delay` later. The start delay takes at
        most half of the active time after the rest.
        """
        rests = self._rests(at)
        for (begin, end), following in zip_longest(rests, rests[1:]):
            if start_delay and following is not None:
                end += max(min(start_delay, (following[0] - margin - end) / 2), timedelta(0))
            if begin - margin <= at < end:
                at = end
        return at

    def next_rest(self, at: datetime) -> datetime | None:
        """The start of the first rest that begins at `at` or later. None: there is no rest."""
        return next((begin for begin, _ in self._rests(at) if begin >= at), None)

    def active_seconds(self, begin: datetime, end: datetime) -> float:
        """The active seconds between two times that are at most a day apart."""
        rested = timedelta(0)
        for rest_begin, rest_end in self._rests(end):
            if rest_end > begin and rest_begin < end:
                rested += min(end, rest_end) - max(begin, rest_begin)
        return (end - begin - rested).total_seconds()

    def _rests(self, at: datetime) -> tuple[Span, ...]:
        """The rests around a time, in order and without overlaps."""
        if self.rest is None and not self.windows:
            return ()
        start, hours = (self.rest.start, self.rest.hours) if self.rest else (None, 0.0)
        return _rests_around(start, hours, self.offset, self.timezone, self.windows, at.astimezone(UTC).date())


@lru_cache(maxsize=4096)
def _rests_around(
    start: time | None, hours: float, offset: timedelta, timezone: str, windows: tuple[ActiveWindow, ...], around: date
) -> tuple[Span, ...]:
    days = [around + day * DAY for day in range(-DAYS_BEHIND, DAYS_AHEAD + 1)]
    begins = [] if start is None else [_at(start, timezone, day) + offset for day in days]
    rests = [(begin, begin + timedelta(hours=hours)) for begin in begins]
    return tuple(_merged([*rests, *_between_windows(windows, timezone, days)]))


def _between_windows(windows: tuple[ActiveWindow, ...], timezone: str, days: list[date]) -> Iterator[Span]:
    """The spans between the windows of work."""
    work = _merged(
        (_at(window.start, timezone, day), _at(window.end, timezone, day if window.end > window.start else day + DAY))
        for day in days
        for window in windows
    )
    return ((end, begin) for (_, end), (begin, _) in pairwise(work))


def _merged(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for begin, end in sorted(spans):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        elif end > begin:
            merged.append((begin, end))
    return merged


def _at(local_time: time, timezone: str, day: date) -> datetime:
    """The local time of that day, converted to UTC. If a clock change skips this local time, the UTC offset before the
    change is used."""
    return datetime.combine(day, local_time, tzinfo=ZoneInfo(timezone)).astimezone(UTC)


@lru_cache(maxsize=4096)
def _active_seconds_a_day(hours: Hours) -> float:
    return max(replace(hours, timezone="UTC").active_seconds(PLAIN_DAY, PLAIN_DAY + DAY), 1.0)
