"""Fleet: what the profiles of a package come to together, for those who watch many packages."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from spreader.contract.configuration import Package
from spreader.contract.events import ProfileState

LaneStanding = Literal["ok", "limited", "blocked", "unknown"]
OTHERS = "(others)"
"""The name under which those stand that are too many to be shown each."""
COUNTED = ("sent_open", "sent", "delivered", "read", "failed", "received", "answered", "new_contacts")
"""What is shown of the last 24 hours, as `spreader.events.Counts` names it."""


@dataclass(frozen=True, slots=True)
class Summary:
    profiles: Mapping[LaneStanding, int]
    """By how their open lane stands."""
    counts: Mapping[str, int]
    """Of the last 24 hours."""
    allowed: int
    """Open messages in 24 hours, with the automatic factor."""
    healths: Sequence[int]


def shown(packages: Iterable[Package], packages_max: int) -> Mapping[str, Sequence[Package]]:
    """Which packages have a name of their own among the labels: the largest; the rest stand together."""
    ordered = sorted(packages, key=lambda each: (-len(each.profiles), each.package_id))
    named: dict[str, Sequence[Package]] = {each.package_id: (each,) for each in ordered[:packages_max]}
    return {**named, OTHERS: ordered[packages_max:]} if len(ordered) > packages_max else named


def summary(packages: Iterable[Package], states: Mapping[str, ProfileState]) -> Summary:
    profiles = [profile for package in packages for profile in package.profiles]
    known = [states[each.profile_id] for each in profiles if each.profile_id in states]
    lanes: dict[LaneStanding, int] = dict.fromkeys(("ok", "limited", "blocked"), 0)
    for state in known:
        lanes[state.open.state] += 1
    factors = {state.profile_id: state.limit_factor for state in known}
    return Summary(
        profiles={**lanes, "unknown": len(profiles) - len(known)},
        counts={name: sum(getattr(state.windows.day, name) for state in known) for name in COUNTED},
        allowed=sum(int(each.limits.per_day * factors.get(each.profile_id, 1.0)) for each in profiles),
        healths=[state.health.score for state in known if state.health is not None],
    )
