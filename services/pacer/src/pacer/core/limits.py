"""Limit: how many releases a rolling window may hold, and what is left of the operator's figures after a strike."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from spreader.contract.bounds import Bound
from spreader.contract.configuration import ProfileLimits, WarmUp

HOUR, THREE_HOURS, DAY = timedelta(hours=1), timedelta(hours=3), timedelta(days=1)
HOUR_LIMIT, THREE_HOURS_LIMIT, DAY_LIMIT = Bound.HOUR_LIMIT, Bound.THREE_HOURS_LIMIT, Bound.DAY_LIMIT
QUARTER_OF_DAY = Bound.QUARTER_OF_DAY
CONTACT_WINDOWS = ((Bound.NEW_CONTACTS_LIMIT, DAY), (Bound.UNANSWERED_BUDGET, timedelta(days=30)))

LIMITS_REMEMBERED_MAX = 1024


@dataclass(frozen=True, slots=True)
class Limit:
    name: str
    window: timedelta
    releases_max: int


def in_force(limits: ProfileLimits, factor: float) -> ProfileLimits:
    """The limits times a factor (0 to 1), rounded down; one release is always left."""
    if factor == 1:
        return limits
    return limits.model_copy(
        update={
            "per_hour": max(1, int(limits.per_hour * factor)),
            "per_3_hours": max(1, int(limits.per_3_hours * factor)),
            "per_day": max(1, int(limits.per_day * factor)),
        }
    )


def quarter_of_day(limits: ProfileLimits) -> int:
    """The most that any hour holds, whatever the hour's own limit: a quarter of the day's, rounded down; at least 1.

    A day's messages that come in a few hours, after a night of none, are what WhatsApp looks for (decision 0019).
    """
    return max(1, limits.per_day // 4)


def an_hour(limits: ProfileLimits) -> int:
    """How many an hour may hold in all."""
    return min(limits.per_hour, quarter_of_day(limits))


def rolling(limits: ProfileLimits) -> tuple[Limit, ...]:
    """What every open delivery of a profile counts in. Of the two that hold for an hour the tighter stands for both."""
    hour = HOUR_LIMIT if limits.per_hour <= quarter_of_day(limits) else QUARTER_OF_DAY
    windows = ((hour, HOUR), (THREE_HOURS_LIMIT, THREE_HOURS), (DAY_LIMIT, DAY))
    return _limits(windows, (an_hour(limits), limits.per_3_hours, limits.per_day))


def of_contacts(limits: ProfileLimits) -> tuple[Limit, ...]:
    """What only a cold contact counts in: one to whom the profile has not spoken, and who has not written to it."""
    return _limits(CONTACT_WINDOWS, (limits.new_contacts_per_day, limits.unanswered_per_30_days))


@lru_cache(maxsize=LIMITS_REMEMBERED_MAX)
def _limits(windows: tuple[tuple[str, timedelta], ...], maxima: tuple[int | None, ...]) -> tuple[Limit, ...]:
    return tuple(
        Limit(name, window, most) for (name, window), most in zip(windows, maxima, strict=True) if most is not None
    )


def warm_up_share(warm_up: WarmUp, since: datetime | None, now: datetime) -> float:
    """The share of its limits that an account has which is new since `since`: a step each day, up to all of them."""
    if since is None:
        return 1.0
    days = min(max((now - since) // DAY, 0), warm_up.days)
    return warm_up.from_share + (1 - warm_up.from_share) * days / warm_up.days
