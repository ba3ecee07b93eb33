"""Load: what a profile has to do already, and how much it does in a day; and how to even it out."""

from collections.abc import Mapping
from dataclasses import dataclass

from spreader.configuration import Package
from spreader.events import ProfilePace, ProfileState


@dataclass(frozen=True, slots=True)
class Load:
    held: int
    """Open deliveries that wait for it."""
    per_day: float
    """What it may send a day, by its limits in force."""

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
        in_force = profile.limits.per_day * (1.0 if state is None else state.limit_factor)
        warm_up = 1.0 if pace is None else pace.warm_up
        held = (0 if pace is None else pace.held) + more.get(name, 0)
        found[name] = Load(held, max(in_force * warm_up, 1.0))
    return found


def fill(deliveries: int, among: Mapping[str, Load]) -> dict[str, int]:
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
