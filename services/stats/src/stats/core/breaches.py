"""Breach: a sent message that exceeds the limit of a rolling window.

The pacer enforces the limits by counting its releases. This module counts the messages that gateways accepted. So it
also finds a breach that the pacer's own count does not show.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from spreader.contract.configuration import ProfileLimits


@dataclass(frozen=True, slots=True)
class LimitWindow:
    span: timedelta
    sent_max: int


WINDOWS = ("1h", "3h", "24h")


def limit_windows(limits: ProfileLimits) -> Mapping[str, LimitWindow]:
    """The limits that the operator set. The pacer may allow less, because of the limit factor or the warm-up. It may
    never allow more."""
    spans = (timedelta(hours=1), timedelta(hours=3), timedelta(days=1))
    maxima = (limits.per_hour, limits.per_3_hours, limits.per_day)
    return {name: LimitWindow(span, most) for name, span, most in zip(WINDOWS, spans, maxima, strict=True)}


def breaches(
    sent: Sequence[datetime], limits: ProfileLimits, after: datetime, tolerance: timedelta
) -> Mapping[str, int]:
    """For each window, how many messages sent after `after` exceed its limit. Each message is checked in the window
    that ends with it.

    `sent`: the times of the sent messages, sorted, from 24 hours before `after` on. `tolerance`: the audit makes each
    window this much shorter than the limit says. The reason is that a message may seem to be sent later than it was.
    This happens if its receipt arrives before the sender's own outcome.
    """
    return {name: _excess(sent, window, after, tolerance) for name, window in limit_windows(limits).items()}


def _excess(sent: Sequence[datetime], window: LimitWindow, after: datetime, tolerance: timedelta) -> int:
    span = window.span - tolerance
    if span <= timedelta(0):
        return 0
    new = range(bisect_right(sent, after), len(sent))
    return sum(index + 1 - bisect_right(sent, sent[index] - span) > window.sent_max for index in new)
