"""Gap: the time between two releases of one profile. It is base × pressure × tempo × draw (docs/pacing.md)."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from pacer.core.limits import hourly_limit
from spreader.contract.configuration import Gap, ProfileLimits

HOUR_SECONDS = 3600.0
TEMPO_SPAN = timedelta(hours=2)
PAIRS_SPAN = timedelta(hours=3)
CENTRE_MIN, CENTRE_MAX = 0.40, 0.45
PROFILE_SPREAD = 0.05  # a profile's spread is at most this far from its package's centre


@dataclass(frozen=True, slots=True)
class Pace:
    """The factors of the gap in force, and the mean gap that they make. `spread`: how far a gap may be from the mean,
    as a share of the mean."""

    base_seconds: float
    pressure: float
    tempo: float
    mean_seconds: float
    spread: float
    slack_seconds_max: float

    def gap(self, position: float) -> timedelta:
        """The gap at a position in its range: 0 is the smallest, 1 the largest."""
        return timedelta(seconds=self.mean_seconds * (1 + self.spread * (2 * position - 1)))

    def slack(self, position: float) -> timedelta:
        """The extra delay after a limit has room again. Without it, a profile that is always at a limit would release
        at exactly the same times as on the day before (decision 0031)."""
        return timedelta(seconds=self.slack_seconds_max * position)

    def start_delay(self, position: float) -> timedelta:
        """The extra delay after a rest. Without it, all profiles of a package would start at the same second."""
        return timedelta(seconds=self.base_seconds * position)


def pace(
    limits: ProfileLimits,
    gap: Gap,
    active_seconds_a_day: float,
    waiting: int,
    sent_last_2_hours: float,
    active_seconds_last_2_hours: float,
    spread: float,
) -> Pace:
    """The pace of a profile that has `waiting` deliveries due."""
    base, spread = _base(limits, gap, active_seconds_a_day, spread)
    pressure = _pressure(waiting, gap)
    load = relative_load(sent_last_2_hours, limits, active_seconds_last_2_hours / active_seconds_a_day)
    tempo = _tempo(load, gap, spread, is_calm=waiting < gap.rush_over)
    mean = max(base * pressure * tempo, gap.fastest * HOUR_SECONDS / hourly_limit(limits))
    return Pace(base, pressure, tempo, mean, spread, gap.slack * base)


def relative_load(sent: float, limits: ProfileLimits, share: float) -> float:
    """The number of releases in a period (`sent`), divided by the number expected in it. The expected number is the
    daily limit multiplied by `share`: the part of the day's active hours that falls in the period.

    0.5 is added to both numbers, so that the load is defined even when no release is expected.
    """
    return (sent + 0.5) / (limits.per_day * share + 0.5)


def slack_max(limits: ProfileLimits, gap: Gap, active_seconds_a_day: float, spread: float) -> timedelta:
    """The longest time for which a limit still holds a release after the limit has room again."""
    base, _ = _base(limits, gap, active_seconds_a_day, spread)
    return timedelta(seconds=gap.slack * base)


def spread_of(package_id: str, profile_id: str, centre: float | None) -> float:
    """The permanent spread of a profile, near its package's centre.

    It follows from the ids, so every instance of the pacer computes the same spread. `centre` is what the operator
    chose for the package. If it is None, the centre follows from the package's id.
    """
    if centre is None:
        centre = CENTRE_MIN + (CENTRE_MAX - CENTRE_MIN) * hash_fraction(package_id)
    return centre + PROFILE_SPREAD * (2 * hash_fraction(profile_id) - 1)


def hash_fraction(name: str) -> float:
    """A number from 0 to 1 that is always the same for the same name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64


def _base(limits: ProfileLimits, gap: Gap, active_seconds_a_day: float, spread: float) -> tuple[float, float]:
    """The mean gap before pressure and tempo, and its spread.

    If `min_seconds` and `max_seconds` are both set, they replace the computed range. If only `min_seconds` is set, the
    mean is raised just enough that no gap is shorter. If only `max_seconds` is set, the mean is lowered just enough
    that no gap is longer.
    """
    if gap.min_seconds is not None and gap.max_seconds is not None:
        low, high = gap.min_seconds, gap.max_seconds
        return (low + high) / 2, (high - low) / (high + low)
    tightest = max(
        HOUR_SECONDS / hourly_limit(limits),
        3 * HOUR_SECONDS / limits.per_3_hours,
        active_seconds_a_day / limits.per_day,
    )
    if gap.min_seconds is not None:
        return max(tightest, gap.min_seconds / (1 - spread)), spread
    if gap.max_seconds is not None:
        return min(tightest, gap.max_seconds / (1 + spread)), spread
    return tightest, spread


def _pressure(waiting: int, gap: Gap) -> float:
    if waiting > gap.rush_over:
        return gap.rush_factor
    return gap.calm_factor if waiting < gap.rush_over else 1.0


def _tempo(load: float, gap: Gap, spread: float, is_calm: bool) -> float:
    """The square of the load, kept between a lowest and a highest value. The more a profile released lately, the longer
    its gaps are.

    In a calm queue (few deliveries wait) these two values are close together, so the random draw changes a gap more
    than the tempo does. Otherwise the mean gap would climb while the last few deliveries are released, and each gap
    would predict the next one (decision 0019).
    """
    low, high = gap.tempo_min, gap.tempo_max
    if is_calm:
        low, high = max(low, 1 - gap.calm_tempo * spread), min(high, 1 + gap.calm_tempo * spread)
    return min(max(load**2, low), high)
