"""Load: what a profile has to do already, and how much it does in a day; and how to even it out."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time

from spreader.contract.configuration import Gap, Package, ProfileLimits
from spreader.contract.events import ProfilePace, ProfileState

DAY_SECONDS = 86_400.0
SPREAD = 0.4  # of gaps around their mean, where the operator has set none


@dataclass(frozen=True, slots=True)
class Load:
    held: int
    """Open deliveries that wait for it."""
    per_day: float
    """What it sends a day while much waits, by its limits in force and the package's gap."""

    @property
    def days(self) -> float:
        """When it would have sent what waits, in days of work."""
        return self.held / self.per_day


def loads(
    package: Package, states: Mapping[str, ProfileState], paces: Mapping[str, ProfilePace], more: Mapping[str, int]
) -> dict[str, Load]:
    """The load of each profile of a package. `more`: what was assigned since the pacer told how much waits."""
    found: dict[str, Load] = {}
    for profile in package.profiles:
        name = profile.profile_id
        state, pace = states.get(name), paces.get(name)
        factor = (1.0 if state is None else state.limit_factor) * (1.0 if pace is None else pace.warm_up)
        held = (0 if pace is None else pace.held) + more.get(name, 0)
        found[name] = Load(held, max(_a_day(profile.limits, factor, package), 1.0))
    return found


def _a_day(limits: ProfileLimits, factor: float, package: Package) -> float:
    """The pace that the gap settles at: a rush doubles it, and the tempo takes back what came of that.

    An estimate to share by; what is really released the pacer alone decides. Whom a profile has not spoken to yet it
    does not know here: all are taken for new contacts.
    """
    seconds = _active_seconds(package)
    per_day = limits.per_day * factor
    base = max(3_600 / (limits.per_hour * factor), 10_800 / (limits.per_3_hours * factor), seconds / per_day)
    slower = max(base, _gap_of_the_operator(package.gap)) * per_day / seconds
    steady = per_day * min((2 * slower) ** (-1 / 3), 1 / slower)
    return min(steady, limits.new_contacts_per_day or math.inf)


def _gap_of_the_operator(gap: Gap) -> float:
    """The mean of the operator's own range, in seconds; 0: there is none."""
    if gap.min_seconds is None:
        return 0.0
    return gap.min_seconds / (1 - SPREAD) if gap.max_seconds is None else (gap.min_seconds + gap.max_seconds) / 2


def _active_seconds(package: Package) -> float:
    """How much of a day the package works; the same for all its profiles."""
    if package.active_windows:
        spans = ((_seconds(each.end) - _seconds(each.start)) % DAY_SECONDS or DAY_SECONDS
                 for each in package.active_windows)  # fmt: skip
        return min(sum(spans), DAY_SECONDS)
    return DAY_SECONDS - (0.0 if package.rest_window is None else package.rest_window.length.total_seconds())


def _seconds(clock: time) -> float:
    return clock.hour * 3_600.0 + clock.minute * 60.0 + clock.second


def balance(deliveries: int, among: Mapping[str, Load]) -> dict[str, int]:
    """Share out deliveries so that all profiles finish at about the same time: the level of water in joined vessels.

    Who has more to do already than the others will have gets none. To the unit, by largest remainder.
    """
    exact = _level(deliveries, among)
    counts = {name: int(part) for name, part in exact.items()}
    remainders = sorted(exact, key=lambda name: (counts[name] - exact[name], name))
    for name in remainders[: deliveries - sum(counts.values())]:
        counts[name] += 1
    return counts


def _level(deliveries: int, among: Mapping[str, Load]) -> dict[str, float]:
    """Each one's part: up to the common level of `days` that just takes all the deliveries."""
    lowest_first = sorted(among, key=lambda name: among[name].days)
    capacity = held = 0.0
    level = 0.0
    for place, name in enumerate(lowest_first):
        capacity += among[name].per_day
        held += among[name].held
        level = (deliveries + held) / capacity
        if place + 1 == len(lowest_first) or level <= among[lowest_first[place + 1]].days:
            break
    return {name: max(level * load.per_day - load.held, 0.0) for name, load in among.items()}
