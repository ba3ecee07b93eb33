"""Range: from when to when somebody asks, and in what steps."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

Step = Literal["minute", "hour", "day"]
USUAL: dict[Step, timedelta] = {"minute": timedelta(hours=2), "hour": timedelta(days=2), "day": timedelta(days=30)}
"""How far back, where nobody says it."""


class Impossible(ValueError):
    """What was asked cannot be."""


@dataclass(frozen=True, slots=True)
class Range:
    """`start` is included, `end` is not."""

    start: datetime
    end: datetime
    step: Step
    zone: str
    """Where days begin."""

    @classmethod
    def of(cls, start: datetime | None, end: datetime | None, step: Step, zone: str, now: datetime) -> "Range":
        """Raises Impossible where it is none."""
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError):
            raise Impossible(
                f"`timezone`: {zone!r} is not a time zone of the IANA list, such as Africa/Cairo"
            ) from None
        end = end or now + timedelta(minutes=1)
        start = start or end - USUAL[step]
        if start >= end:
            raise Impossible("`from` must lie before `to`")
        return cls(start, end, step, zone)
