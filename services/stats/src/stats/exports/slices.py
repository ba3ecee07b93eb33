"""Slices: the pieces of a time span. An export of the history reads each page from one slice.

So the database reads only a small part of a large table for each page. A slice is longer where the history has few
rows.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from stats.core.report_range import ReportRange, Step

EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
"""No count is from an earlier or a later time. These bounds keep all slices within the times that Python can compute
with."""
_LENGTHS: dict[Step, timedelta] = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
}


@dataclass(frozen=True, slots=True)
class Slice:
    """`range` contains whole steps of the history. Only the first and the last step of the whole span may be
    incomplete."""

    range: ReportRange
    steps: int
    """The intended length of `range`, in steps. At the end of the span, `range` may be shorter."""


def first_slice(span: ReportRange) -> Slice | None:
    """The first slice of the span. None if the span contains no time in which anything can have been counted."""
    return _slice(span, max(span.start, EARLIEST), 1)


def next_slice(span: ReportRange, slice_: Slice, last: datetime | None) -> Slice | None:
    """The slice of the next page. None if all rows were read.

    `last`: the step of the page's last row if the page was full, and otherwise None. After a full page, the next slice
    begins at this step again, because the step may have more rows.
    """
    if last is None:
        return _slice(span, slice_.range.end, slice_.steps * 2)
    start = max(slice_.range.start, _start_of(span, last))  # the span may begin within the step
    return _slice(span, start, max(1, slice_.steps // 2))


def _slice(span: ReportRange, start: datetime, steps: int) -> Slice | None:
    end = min(span.end, LATEST)
    if start >= end:
        return None
    return Slice(replace(span, start=start, end=min(end, _after(span, start, steps, end))), steps)


def _after(span: ReportRange, start: datetime, steps: int, latest: datetime) -> datetime:
    """The time when this number of steps has passed since `start`. A large number is reduced first, because a time far
    beyond `latest` could not be computed."""
    steps = min(steps, (latest - start) // _LENGTHS[span.step] + 1)
    if span.step != "day":
        return start + steps * _LENGTHS[span.step]
    zone = ZoneInfo(span.zone)
    day = start.astimezone(zone).date() + timedelta(days=steps)
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _start_of(span: ReportRange, moment: datetime) -> datetime:
    """The time at which the step of a row begins. `moment`: the time of the row. For minutes and hours, it is the start
    of the step already."""
    if span.step != "day":
        return moment
    zone = ZoneInfo(span.zone)
    return datetime.combine(moment.astimezone(zone).date(), time(), zone).astimezone(UTC)
