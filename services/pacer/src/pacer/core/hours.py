"""Active hours: when a profile works and when it rests, by the package's own clock on the wall."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from spreader.configuration import RestWindow

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Hours:
    """A daily rest window, or none: begins at a time of the wall clock and lasts its hours, also when clocks change."""

    rest: RestWindow | None
    timezone: str

    @property
    def active_seconds_a_day(self) -> float:
        return (DAY - self.rest.length).total_seconds() if self.rest else DAY.total_seconds()

    def next_active(self, moment: datetime, margin: timedelta = timedelta(0)) -> datetime:
        """`moment`, or the end of the rest that it falls into. `margin`: rest is taken to begin that much earlier."""
        for begin, end in self._rests_around(moment):
            if begin - margin <= moment < end:
                return end
        return moment

    def next_rest(self, moment: datetime) -> datetime | None:
        """When the next rest begins, at `moment` or later; None: it never rests."""
        return min((begin for begin, _ in self._rests_around(moment) if begin >= moment), default=None)

    def active_seconds(self, begin: datetime, end: datetime) -> float:
        """How many seconds of a span (of a day at most) are not rest."""
        rested = sum(
            (max(min(end, rest_end) - max(begin, rest_begin), timedelta(0)) for rest_begin, rest_end in
             self._rests_around(end)),
            timedelta(0),
        )  # fmt: skip
        return (end - begin - rested).total_seconds()

    def _rests_around(self, moment: datetime) -> Iterator[tuple[datetime, datetime]]:
        """The rests of the days around a moment; none of them overlaps another (a rest is under 24 h)."""
        if self.rest is None:
            return
        today = moment.astimezone(ZoneInfo(self.timezone)).date()
        for days in (-2, -1, 0, 1, 2):
            begin = _rest_begins(self.rest.start, self.timezone, today + days * DAY)
            yield begin, begin + self.rest.length


@lru_cache(maxsize=4096)
def _rest_begins(start: time, timezone: str, day: date) -> datetime:
    """In UTC. A time that the change of clocks skips is taken by the offset before the change."""
    return datetime.combine(day, start, tzinfo=ZoneInfo(timezone)).astimezone(UTC)
