"""Limit: how many releases a rolling window may hold, and how factors reduce the operator's limits (docs/pacing.md)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from spreader.contract.bounds import Bound
from spreader.contract.configuration import ProfileLimits, WarmUp

HOUR, THREE_HOURS, DAY = timedelta(hours=1), timedelta(hours=3), timedelta(days=1)
CONTACT_WINDOWS = ((Bound.NEW_CONTACTS_LIMIT, DAY), (Bound.UNANSWERED_BUDGET, timedelta(days=30)))
"""The limits that count only cold contacts, each with its window."""
LIMITS_CACHED_MAX = 1024


@dataclass(frozen=True, slots=True)
class Limit:
    bound: Bound
    window: timedelta
    releases_max: int


def scaled_limits(limits: ProfileLimits, factor: float) -> ProfileLimits:
    """The limits, of which those for 1 hour, 3 hours and 24 hours are multiplied by a factor (0 to 1). The results are
    rounded down, but are at least 1."""
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
    """A quarter of the daily limit, rounded down, but at least 1. No hour may have more releases, even if the hourly
    limit is higher.

    WhatsApp looks for profiles that send many of a day's messages in a few hours after an idle night (decision 0033).
    """
    return max(1, limits.per_day // 4)


def hourly_limit(limits: ProfileLimits) -> int:
    """The most releases in an hour: the hourly limit or the quarter of the day, whichever is lower."""
    return min(limits.per_hour, quarter_of_day(limits))


def rolling_limits(limits: ProfileLimits) -> tuple[Limit, ...]:
    """The limits that count every open delivery of a profile. Two limits apply to an hour, and only the lower one is
    listed."""
    hour = Bound.HOUR_LIMIT if limits.per_hour <= quarter_of_day(limits) else Bound.QUARTER_OF_DAY
    windows = ((hour, HOUR), (Bound.THREE_HOURS_LIMIT, THREE_HOURS), (Bound.DAY_LIMIT, DAY))
    return _limits(windows, (hourly_limit(limits), limits.per_3_hours, limits.per_day))


def contact_limits(limits: ProfileLimits) -> tuple[Limit, ...]:
    """The limits that count only cold contacts."""
    return _limits(CONTACT_WINDOWS, (limits.new_contacts_per_day, limits.unanswered_per_30_days))


def full_limits(limits: Iterable[Limit], releases: Sequence[datetime], now: datetime) -> dict[Bound, datetime | None]:
    """The limits that have no room at `now`. Each comes with the time at which it has room again. `releases` are in
    order."""
    return {
        limit.bound: room_at
        for limit in limits
        if len(releases) >= limit.releases_max and (room_at := releases[-limit.releases_max] + limit.window) > now
    }


@lru_cache(maxsize=LIMITS_CACHED_MAX)
def _limits(windows: tuple[tuple[Bound, timedelta], ...], maxima: tuple[int | None, ...]) -> tuple[Limit, ...]:
    """One limit for each window whose maximum is not None."""
    return tuple(
        Limit(bound, window, most) for (bound, window), most in zip(windows, maxima, strict=True) if most is not None
    )


def warm_up_share(warm_up: WarmUp, since: datetime | None, now: datetime) -> float:
    """The share of its limits that an account may use now. It grows by a step each day after `since`, up to 1.

    `since` is the time at which the warm-up began. None: the account has no warm-up.
    """
    if since is None:
        return 1.0
    days = min(max((now - since) // DAY, 0), warm_up.days)
    return warm_up.from_share + (1 - warm_up.from_share) * days / warm_up.days
