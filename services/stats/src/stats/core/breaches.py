"""Breach: a sending that was one too many in a rolling window, counted anew from what gateways took.

The pacer keeps the limits by its releases. This knows nothing of them: it counts what was sent.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from spreader.contract.configuration import ProfileLimits


@dataclass(frozen=True, slots=True)
class Window:
    span: timedelta
    sent_max: int


WINDOWS = ("1h", "3h", "24h")


def windows(limits: ProfileLimits) -> Mapping[str, Window]:
    """What the operator allows. The pacer's share of it (factor, warm-up, quarter of the day) is never more."""
    spans = (timedelta(hours=1), timedelta(hours=3), timedelta(days=1))
    maxima = (limits.per_hour, limits.per_3_hours, limits.per_day)
    return {name: Window(span, most) for name, span, most in zip(WINDOWS, spans, maxima, strict=True)}


def breaches(
    sent: Sequence[datetime], limits: ProfileLimits, after: datetime, tolerance: timedelta
) -> Mapping[str, int]:
    """How many of those sent later than `after` were one too many in the window that ends with them.

    `sent`: in order, from a day before `after` on. `tolerance`: windows are shorter by so much, since a receipt that
    comes before the sender's own word dates a sending later than it was.
    """
    return {name: _too_many(sent, each, after, tolerance) for name, each in windows(limits).items()}


def _too_many(sent: Sequence[datetime], window: Window, after: datetime, tolerance: timedelta) -> int:
    span = window.span - tolerance
    if span <= timedelta(0):
        return 0
    new = range(bisect_right(sent, after), len(sent))
    return sum(place + 1 - bisect_right(sent, sent[place] - span) > window.sent_max for place in new)
