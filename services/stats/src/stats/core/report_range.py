"""Report range: the time span and the step of a history or a report."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

Step = Literal["minute", "hour", "day"]
DEFAULT_SPANS: dict[Step, timedelta] = {
    "minute": timedelta(hours=2),
    "hour": timedelta(days=2),
    "day": timedelta(days=30),
}


class InvalidRange(ValueError):
    """The caller's range is invalid. The text names the parameter."""


@dataclass(frozen=True, slots=True)
class ReportRange:
    """`start` is included, `end` is not."""

    start: datetime
    end: datetime
    step: Step
    zone: str
    """The time zone in which days begin."""

    @classmethod
    def of(cls, start: datetime | None, end: datetime | None, step: Step, zone: str, now: datetime) -> "ReportRange":
        """The range. Without `end`, it ends a minute from now. Without `start`, its length is the default span of its
        step.

        Raises InvalidRange for an unknown time zone and for a start that is not before the end.
        """
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError):
            raise InvalidRange(f"`timezone`: {zone!r} is not an IANA time zone such as Africa/Cairo") from None
        end = end or now + timedelta(minutes=1)
        start = start or end - DEFAULT_SPANS[step]
        if start >= end:
            raise InvalidRange("`from` must be before `to`")
        return cls(start, end, step, zone)
