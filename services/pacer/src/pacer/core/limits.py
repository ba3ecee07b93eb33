"""Limit: how many releases a rolling window may hold, and what is left of the operator's figures after a strike."""

from dataclasses import dataclass
from datetime import timedelta

from spreader.configuration import ProfileLimits

HOUR, THREE_HOURS, DAY = timedelta(hours=1), timedelta(hours=3), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Limit:
    name: str
    window: timedelta
    releases_max: int


def in_force(limits: ProfileLimits, factor: float) -> ProfileLimits:
    """The limits times the automatic factor, rounded down; one release is always left."""
    return limits.model_copy(
        update={
            "per_hour": max(1, int(limits.per_hour * factor)),
            "per_3_hours": max(1, int(limits.per_3_hours * factor)),
            "per_day": max(1, int(limits.per_day * factor)),
        }
    )


def rolling(limits: ProfileLimits) -> tuple[Limit, Limit, Limit]:
    return (
        Limit("hour limit", HOUR, limits.per_hour),
        Limit("3 hours limit", THREE_HOURS, limits.per_3_hours),
        Limit("day limit", DAY, limits.per_day),
    )
