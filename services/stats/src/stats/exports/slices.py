"""Slices: the pieces of a time span from which an export of the history reads its pages.

A page is the next rows of one slice. So the database reads only a small part of a large table for each page. A slice is
longer where the history has few rows.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from stats.core.report_range import ReportRange, Step

EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
"""Nothing was counted before or after. These bounds keep all slices within the times that Python can compute with."""
_LENGTHS: dict[Step, timedelta] = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
}


@dataclass(frozen=True, slots=True)
class Slice:
    """`range` contains only whole steps of the history, except at the beginning and the end of the whole span."""

    range: ReportRange
    steps: int
    """The number of its steps."""


def first_slice(span: ReportRange) -> Slice | None:
    """The first slice of the span. None if the span contains no time in which anything can have been counted."""
    return _slice(span, max(span.start, EARLIEST), 1)


def next_slice(span: ReportRange, slice_: Slice, last: datetime | None) -> Slice | None:
    """The slice of the next page. None if all rows were read.

    `last`: the step of the last row of the page, if the page was full. Then the next page begins with the rows after
    it, of the same step or of a later one.
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
    """The end of this number of steps. At most about `latest`."""
    steps = min(steps, (latest - start) // _LENGTHS[span.step] + 1)
    if span.step != "day":
        return start + steps * _LENGTHS[span.step]
    zone = ZoneInfo(span.zone)
    day = start.astimezone(zone).date() + timedelta(days=steps)
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _start_of(span: ReportRange, moment: datetime) -> datetime:
    """The first time that belongs to this step."""
    if span.step != "day":
        return moment
    zone = ZoneInfo(span.zone)
    return datetime.combine(moment.astimezone(zone).date(), time(), zone).astimezone(UTC)
