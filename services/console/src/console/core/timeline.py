"""Timeline: a history with a place for every moment, also for those in which nothing happened."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from console.core.api_models import History, Moment

COLUMNS_MAX = 200


def filled(history: History, zone: str) -> list[Moment]:
    """From its beginning to its end, at most the last `COLUMNS_MAX` moments."""
    known = {_begin(each.at, history.by, zone): each for each in history.data}
    at, moments = _begin(history.begin, history.by, zone), list[Moment]()
    while at < history.end.astimezone(ZoneInfo(zone)):
        moments.append(known.get(at) or Moment(at=at))
        at = _next(at, history.by)
    return moments[-COLUMNS_MAX:]


def _begin(moment: datetime, by: str, zone: str) -> datetime:
    local = moment.astimezone(ZoneInfo(zone)).replace(second=0, microsecond=0)
    if by == "minute":
        return local
    return local.replace(minute=0) if by == "hour" else local.replace(minute=0, hour=0)


def _next(at: datetime, by: str) -> datetime:
    """Days are those of the zone's calendar; minutes and hours pass as they do, also when clocks change."""
    if by == "day":
        return at + timedelta(days=1)
    step = timedelta(minutes=1) if by == "minute" else timedelta(hours=1)
    return (at.astimezone(ZoneInfo("UTC")) + step).astimezone(at.tzinfo)
