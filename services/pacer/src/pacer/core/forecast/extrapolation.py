"""Extrapolation: estimates the hours of the releases that were not simulated."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise

HOUR = timedelta(hours=1)

Curve = Counter[datetime]
"""The number of releases in each hour. The key of an hour is the time at which it begins, in UTC."""


def hour_of(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def even_curve(first: datetime, gap: timedelta, count: int, until: datetime) -> Curve:
    """A curve of `count` releases. The first is at `first`, and each of the others comes one `gap` later. Releases
    after `until` are left out."""
    curve, number = Curve(), 0
    while number < count and (at := first + gap * number) <= until:
        hour = hour_of(at)
        following = min(-((first - hour - HOUR) // gap), count) if gap else count  # the first one after this hour
        curve[hour] += following - number
        number = following
    return curve


def scaled_curve(curve: Curve, count: int) -> Curve:
    """The same curve with `count` releases in all."""
    hours, total = sorted(curve), curve.total()
    sums = accumulate((curve[hour] for hour in hours), initial=0)
    counts = [after * count // total - before * count // total for before, after in pairwise(sums)]
    return Curve({hour: number for hour, number in zip(hours, counts, strict=True) if number})
