"""Package summary: the figures of all profiles of a package together, for the package metrics and the API."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from spreader.contract.configuration import Package
from spreader.contract.events import ProfileState

LaneStatus = Literal["ok", "limited", "blocked", "unknown"]
OTHERS = "(others)"
"""The common label value of all packages that are not among the largest ones."""
COUNTED = ("sent_open", "sent", "delivered", "read", "failed", "received", "answered", "new_contacts")
"""The counts that are shown. The names are fields of `spreader.contract.events.Counts`."""


@dataclass(frozen=True, slots=True)
class PackageSummary:
    profiles: Mapping[LaneStatus, int]
    """The number of profiles, by the status of their open lane."""
    counts: Mapping[str, int]
    """The counts of the last 24 hours, by the names in `COUNTED`."""
    hour_counts: Mapping[str, int]
    """The counts of the last hour, by the same names."""
    allowed: int
    """How many open messages the profiles may send in 24 hours. It is the sum of their daily limits, each multiplied by
    the limit factor of the profile."""
    healths: Sequence[int]


def named_packages(packages: Iterable[Package], packages_max: int) -> Mapping[str, Sequence[Package]]:
    """The packages of each label value. The largest packages have a value of their own, and the others share
    `OTHERS`."""
    ordered = sorted(packages, key=lambda package: (-len(package.profiles), package.package_id))
    named: dict[str, Sequence[Package]] = {package.package_id: (package,) for package in ordered[:packages_max]}
    return {**named, OTHERS: ordered[packages_max:]} if len(ordered) > packages_max else named


def summarize(packages: Iterable[Package], states: Mapping[str, ProfileState]) -> PackageSummary:
    profiles = [profile for package in packages for profile in package.profiles]
    known = [states[profile.profile_id] for profile in profiles if profile.profile_id in states]
    by_status: dict[LaneStatus, int] = dict.fromkeys(("ok", "limited", "blocked"), 0)
    for state in known:
        by_status[state.open.state] += 1
    factors = {state.profile_id: state.limit_factor for state in known}
    return PackageSummary(
        profiles={**by_status, "unknown": len(profiles) - len(known)},
        counts={name: sum(getattr(state.windows.day, name) for state in known) for name in COUNTED},
        hour_counts={name: sum(getattr(state.windows.hour, name) for state in known) for name in COUNTED},
        allowed=sum(int(profile.limits.per_day * factors.get(profile.profile_id, 1.0)) for profile in profiles),
        healths=[state.health.score for state in known if state.health is not None],
    )
