"""Timeline: a history with one point for every interval, including the intervals in which nothing happened."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from console.core.api_models import ApiHistory, ApiHistoryPoint

COLUMNS_MAX = 200


def fill_gaps(history: ApiHistory, zone: str) -> list[ApiHistoryPoint]:
    """The points from the begin to the end of the history, but only the last `COLUMNS_MAX` if there are more."""
    points = {_begin(point.at, history.by, zone): point for point in history.data}
    at, filled = _begin(history.begin, history.by, zone), list[ApiHistoryPoint]()
    while at < history.end.astimezone(ZoneInfo(zone)):
        filled.append(points.get(at) or ApiHistoryPoint(at=at))
        at = _next(at, history.by)
    return filled[-COLUMNS_MAX:]


def _begin(at: datetime, by: str, zone: str) -> datetime:
    local = at.astimezone(ZoneInfo(zone)).replace(second=0, microsecond=0)
    if by == "minute":
        return local
    return local.replace(minute=0) if by == "hour" else local.replace(minute=0, hour=0)


def _next(at: datetime, by: str) -> datetime:
    """The begin of the next interval. Days follow the calendar of the time zone.

    Minutes and hours are added in UTC, because local time skips or repeats an hour when daylight saving time begins or
    ends.
    """
    if by == "day":
        return at + timedelta(days=1)
    step = timedelta(minutes=1) if by == "minute" else timedelta(hours=1)
    return (at.astimezone(ZoneInfo("UTC")) + step).astimezone(at.tzinfo)
