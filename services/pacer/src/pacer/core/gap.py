"""Gap: the time between two releases of one profile, from its limits, its queue and its last two hours."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from pacer.core.limits import an_hour
from spreader.contract.configuration import Gap, ProfileLimits

HOUR_SECONDS = 3600.0
TEMPO_SPAN = timedelta(hours=2)
PAIRS_SPAN = timedelta(hours=3)
CENTRE_MIN, CENTRE_MAX = 0.40, 0.45
PROFILE_SPREAD = 0.05  # around the package's own: all lie from 0.35 to 0.5


@dataclass(frozen=True, slots=True)
class Pace:
    """Every factor of the gap now in force, and what they make together (DESIGN section 5, Gap)."""

    base_seconds: float
    pressure: float
    tempo: float
    mean_seconds: float
    spread: float
    slack_seconds_max: float

    def gap(self, position: float) -> timedelta:
        """The gap at a position in its range: 0 the smallest, 1 the largest."""
        return timedelta(seconds=self.mean_seconds * (1 + self.spread * (2 * position - 1)))

    def slack(self, position: float) -> timedelta:
        """What is added to the moment at which a limit has room again. Without it a profile that is always at its
        limit would repeat the moments of the day before, to the second (decision 0019)."""
        return timedelta(seconds=self.slack_seconds_max * position)

    def waking(self, position: float) -> timedelta:
        """What is added to the end of a rest: else all profiles of a package begin their day at the same second."""
        return timedelta(seconds=self.base_seconds * position)


def pace(
    limits: ProfileLimits, gap: Gap, active_seconds_a_day: float, waiting: int,
    sent_lately: int, active_seconds_lately: float, spread: float,
) -> Pace:  # fmt: skip
    """The pace of a profile: `waiting` deliveries are due, `sent_lately` were released in the last two hours."""
    base, spread = _base(limits, gap, active_seconds_a_day, spread)
    pressure = _pressure(waiting, gap)
    went = load(sent_lately, limits, active_seconds_lately / active_seconds_a_day)
    tempo = _tempo(went, gap, spread, is_calm=waiting < gap.rush_over)
    mean = max(base * pressure * tempo, gap.fastest * HOUR_SECONDS / an_hour(limits))
    return Pace(base, pressure, tempo, mean, spread, gap.slack * base)


def load(sent: int, limits: ProfileLimits, share: float) -> float:
    """Releases over those that the day's limit makes of a share of the day's work, half a release added to both."""
    return (sent + 0.5) / (limits.per_day * share + 0.5)


def slack_max(limits: ProfileLimits, gap: Gap, active_seconds_a_day: float, spread: float) -> timedelta:
    """How long a limit may hold a release after it has room again."""
    base, _ = _base(limits, gap, active_seconds_a_day, spread)
    return timedelta(seconds=gap.slack * base)


def spread_of(package_id: str, profile_id: str, centre: float | None) -> float:
    """The spread that a profile has for ever: near its package's own, and following from the ids.

    So every instance knows it alike. `centre` is the operator's choice for the package; None: one by the package's id.
    """
    if centre is None:
        centre = CENTRE_MIN + (CENTRE_MAX - CENTRE_MIN) * drawn(package_id)
    return centre + PROFILE_SPREAD * (2 * drawn(profile_id) - 1)


def drawn(name: str) -> float:
    """A number from 0 to 1 that belongs to a name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64


def _base(limits: ProfileLimits, gap: Gap, active_seconds_a_day: float, spread: float) -> tuple[float, float]:
    """The mean gap before pressure and tempo, and its spread: the operator's own range where there is one."""
    if gap.min_seconds is not None and gap.max_seconds is not None:
        low, high = gap.min_seconds, gap.max_seconds
        return (low + high) / 2, (high - low) / (high + low)
    fitting = max(
        HOUR_SECONDS / an_hour(limits), 3 * HOUR_SECONDS / limits.per_3_hours, active_seconds_a_day / limits.per_day
    )
    if gap.min_seconds is not None:
        return max(fitting, gap.min_seconds / (1 - spread)), spread
    if gap.max_seconds is not None:
        return min(fitting, gap.max_seconds / (1 + spread)), spread
    return fitting, spread


def _pressure(waiting: int, gap: Gap) -> float:
    if waiting > gap.rush_over:
        return gap.rush_factor
    return gap.calm_factor if waiting < gap.rush_over else 1.0


def _tempo(load: float, gap: Gap, spread: float, is_calm: bool) -> float:
    """Slower the more went lately (`load`: of what was expected). A few that wait are gone before it may help, and the
    mean that climbs with it would show: it stays well inside the range of the draws (decision 0019)."""
    low, high = gap.tempo_min, gap.tempo_max
    if is_calm:
        low, high = max(low, 1 - gap.calm_tempo * spread), min(high, 1 + gap.calm_tempo * spread)
    return min(max(load**2, low), high)
