"""Best hour: finds the local hour in which a recipient is most likely to read, from the times of earlier reads and
messages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pacer.core.gap import hash_fraction
from pacer.core.hours import Hours
from pacer.core.recipient_hours import quiet_until
from spreader.contract.configuration import QuietHours
from spreader.phone.time_zone import zone_of

HOURS = 24
PRIOR_STRENGTH = 10.0
"""When counts are combined with an assumption about the hours, the assumption weighs as much as this many counted
readings (the Dirichlet smoothing of docs/hours.md)."""
HORIZON = timedelta(hours=24)
HOUR = timedelta(hours=1)
GENERAL: Sequence[float] = (
    0.5, 0.3, 0.2, 0.2, 0.2, 0.4, 1.0, 2.0, 3.5, 4.5, 5.0, 5.2,
    5.4, 5.2, 5.0, 4.8, 5.0, 5.4, 6.0, 6.6, 7.0, 6.4, 4.0, 1.6,
)  # fmt: skip
"""The weights of the local hours before any reading is counted. They assume that people read by day, and most of all in
the evening."""

ReadCounts = Mapping[int, int]
"""How often a recipient read or wrote in each local hour, 0 to 23."""


@dataclass(frozen=True, slots=True)
class BestHour:
    """The chosen time, and why it was chosen."""

    at: datetime
    reason: str


def likelihoods(own: ReadCounts, package: ReadCounts) -> list[float]:
    """The likelihood of each local hour, 0 to 23, from the recipient's own counts. If the recipient has few counts, the
    package's counts weigh more. If the package has few counts too, GENERAL weighs more."""
    general = [weight / sum(GENERAL) for weight in GENERAL]
    return _smoothed(own, _smoothed(package, general))


def best_hour(
    recipient: str, own: ReadCounts, package: ReadCounts, hours: Hours, quiet: QuietHours | None, begin: datetime
) -> BestHour:
    """The most likely hour within 24 hours after `begin`, among the hours in which the profile is active and the
    recipient has no quiet hours. If there is no such hour, the result is `begin`.

    Each recipient has a fixed time within the hour, so that messages are not all sent at the beginning of an hour.
    """
    zone, likely = zone_of(recipient), likelihoods(own, package)
    candidates: list[tuple[float, float, datetime]] = []
    at = begin
    while at < begin + HORIZON:
        if hours.next_active(at) == at and quiet_until(quiet, recipient, at) is None:
            candidates.append((likely[at.astimezone(zone).hour], -at.timestamp(), at))
        at = _next_full_hour(at)
    if not candidates:
        return BestHour(begin, "no hour of the next day is open: as soon as possible")
    likelihood, _, best = max(candidates)
    local = best.astimezone(zone)
    readings = sum(own.values())
    reason = f"{local:%H}:00 in {zone.key}: {likelihood:.0%} of what is read, by {readings} readings of this recipient"
    return BestHour(_within_hour(best, recipient), reason)


def _smoothed(counts: ReadCounts, prior: Sequence[float]) -> list[float]:
    total = sum(counts.values())
    return [(counts.get(hour, 0) + PRIOR_STRENGTH * prior[hour]) / (total + PRIOR_STRENGTH) for hour in range(HOURS)]


def _next_full_hour(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0) + HOUR


def _within_hour(at: datetime, recipient: str) -> datetime:
    """A time between `at` and the next full hour, but not in the last quarter of this span. It depends only on `at` and
    the recipient."""
    return at + (_next_full_hour(at) - at) * 0.75 * hash_fraction(recipient)
