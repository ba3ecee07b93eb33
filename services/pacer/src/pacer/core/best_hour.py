"""Timing: the hour of the day in which a person is most likely to read, from when that person did so before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pacer.core.gap import drawn
from pacer.core.hours import Hours
from pacer.core.recipient_hours import quiet_until, zone_of
from spreader.contract.configuration import QuietHours

HOURS = 24
STRENGTH = 10.0  # of the prior of a Dirichlet distribution, in observations (DESIGN section 5, Smart timing)
HORIZON = timedelta(hours=24)
HOUR = timedelta(hours=1)
GENERAL: Sequence[float] = (
    0.5, 0.3, 0.2, 0.2, 0.2, 0.4, 1.0, 2.0, 3.5, 4.5, 5.0, 5.2,
    5.4, 5.2, 5.0, 4.8, 5.0, 5.4, 6.0, 6.6, 7.0, 6.4, 4.0, 1.6,
)  # fmt: skip
"""Weights of the local hours where nothing is known: people read by day, and most of all in the evening. An assumption
that ten readings of a package's own recipients outweigh."""

Habit = Mapping[int, int]
"""How often somebody read or wrote in each local hour, 0 to 23."""


@dataclass(frozen=True, slots=True)
class Best:
    """The begin of the best hour, and why it is that one."""

    at: datetime
    reason: str


def likelihoods(own: Habit, package: Habit) -> list[float]:
    """How likely each local hour is: the recipient's habit, smoothed toward the package's, that toward everyone's."""
    everyone = [weight / sum(GENERAL) for weight in GENERAL]
    return _smoothed(own, _smoothed(package, everyone))


def best_hour(
    recipient: str, own: Habit, package: Habit, hours: Hours, quiet: QuietHours | None, begin: datetime
) -> Best:
    """The best hour within the horizon in which profiles work and the recipient is not to be left alone.

    Within it each recipient has a moment of its own, so that not all come at the full hour.
    """
    zone, likely = zone_of(recipient), likelihoods(own, package)
    candidates: list[tuple[float, float, datetime]] = []
    moment = begin
    while moment < begin + HORIZON:
        if hours.next_active(moment) == moment and quiet_until(quiet, recipient, moment) is None:
            candidates.append((likely[moment.astimezone(zone).hour], -moment.timestamp(), moment))
        moment = _next_full_hour(moment)
    if not candidates:
        return Best(begin, "no hour of the next day is open: as soon as possible")
    likelihood, _, at = max(candidates)
    shown = at.astimezone(zone)
    known = sum(own.values())
    reason = f"{shown:%H}:00 in {zone.key}: {likelihood:.0%} of what is read, by {known} readings of this recipient"
    return Best(_within(at, recipient), reason)


def _smoothed(counts: Habit, prior: Sequence[float]) -> list[float]:
    total = sum(counts.values())
    return [(counts.get(hour, 0) + STRENGTH * prior[hour]) / (total + STRENGTH) for hour in range(HOURS)]


def _next_full_hour(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0) + HOUR


def _within(at: datetime, recipient: str) -> datetime:
    """Somewhere in the first three quarters of what is left of the hour."""
    return at + (_next_full_hour(at) - at) * 0.75 * drawn(recipient)
