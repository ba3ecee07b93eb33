"""Load: how many deliveries a profile holds and how many it sends in a day. `smart` balances profiles by loads."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time

from spreader.contract.configuration import Gap, Package, ProfileLimits
from spreader.contract.events import ProfilePace, ProfileState

DAY_SECONDS = 86_400.0
SPREAD = 0.4
"""How far a gap may be from the mean gap, as a share of the mean. It is used if the operator sets a minimum, but no
maximum."""


@dataclass(frozen=True, slots=True)
class Load:
    held: int
    """Open deliveries that wait for the profile."""
    per_day: float
    """How many deliveries a day the profile sends while its queue is long. This is computed from the limits in force
    and the package's gap."""

    @property
    def days(self) -> float:
        """How many days the profile needs to send its held deliveries."""
        return self.held / self.per_day


def loads(
    package: Package, states: Mapping[str, ProfileState], paces: Mapping[str, ProfilePace], pending: Mapping[str, int]
) -> dict[str, Load]:
    """The load of each profile of a package.

    `pending`: assignments made since the pacer last published each profile's queue length.
    """
    by_profile: dict[str, Load] = {}
    for profile in package.profiles:
        name = profile.profile_id
        state, pace = states.get(name), paces.get(name)
        factor = (1.0 if state is None else state.limit_factor) * (1.0 if pace is None else pace.warm_up)
        held = (0 if pace is None else pace.held) + pending.get(name, 0)
        by_profile[name] = Load(held, max(_per_day(profile.limits, factor, package), 1.0))
    return by_profile


def _per_day(limits: ProfileLimits, factor: float, package: Package) -> float:
    """How many deliveries a day the pacer releases while the queue is long.

    While the queue is long, the pressure doubles the gap. The lower the rate is, the more the tempo shortens the gap,
    until pressure and tempo are in balance. The result is an estimate for sharing only, because the pacer decides the
    releases. The router does not know which recipients are new contacts, so it counts all of them as new.
    """
    active = _active_seconds(package)
    per_day = limits.per_day * factor
    base = max(3_600 / (limits.per_hour * factor), 10_800 / (limits.per_3_hours * factor), active / per_day)
    slowdown = max(base, _operator_gap_seconds(package.gap)) * per_day / active
    steady = per_day * min((2 * slowdown) ** (-1 / 3), 1 / slowdown)
    return min(steady, limits.new_contacts_per_day or math.inf)


def _operator_gap_seconds(gap: Gap) -> float:
    """The mean of the gap that the operator has set. It is 0 if the operator has set no minimum."""
    if gap.min_seconds is None:
        return 0.0
    return gap.min_seconds / (1 - SPREAD) if gap.max_seconds is None else (gap.min_seconds + gap.max_seconds) / 2


def _active_seconds(package: Package) -> float:
    """The seconds of a day in which the package's profiles may release."""
    if package.active_windows:
        lengths = (
            (_seconds(window.end) - _seconds(window.start)) % DAY_SECONDS or DAY_SECONDS
            for window in package.active_windows
        )
        return min(sum(lengths), DAY_SECONDS)
    return DAY_SECONDS - (0.0 if package.rest_window is None else package.rest_window.length.total_seconds())


def _seconds(clock: time) -> float:
    return clock.hour * 3_600.0 + clock.minute * 60.0 + clock.second


def balance(deliveries: int, loads: Mapping[str, Load]) -> dict[str, int]:
    """The number of deliveries for each profile so that all profiles finish at about the same time.

    A profile that would finish later than the others even without new deliveries gets none. Fractions are rounded to
    whole deliveries by largest remainder.
    """
    exact = _exact_parts(deliveries, loads)
    counts = {name: int(part) for name, part in exact.items()}
    remainders = sorted(exact, key=lambda name: (counts[name] - exact[name], name))
    for name in remainders[: deliveries - sum(counts.values())]:
        counts[name] += 1
    return counts


def _exact_parts(deliveries: int, loads: Mapping[str, Load]) -> dict[str, float]:
    """Each profile's part of the deliveries, by water filling: all profiles that get deliveries reach the same
    `days`."""
    lowest_first = sorted(loads, key=lambda name: loads[name].days)
    capacity = held = 0.0
    level = 0.0
    for index, name in enumerate(lowest_first):
        capacity += loads[name].per_day
        held += loads[name].held
        level = (deliveries + held) / capacity
        if index + 1 == len(lowest_first) or level <= loads[lowest_first[index + 1]].days:
            break
    return {name: max(level * load.per_day - load.held, 0.0) for name, load in loads.items()}
