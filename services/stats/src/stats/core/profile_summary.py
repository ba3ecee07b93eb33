"""Profile summary: the published state of a profile, made from its counts, closures, condition and reports."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from spreader.contract.configuration import Package
from spreader.contract.events import LaneState, ProfileState, Windows
from stats.core.alerts import weakest
from stats.core.closures import Closure, lane_state
from stats.core.condition import Condition
from stats.core.evidence import AccountStatus

PackageOfProfile = Mapping[str, str]
"""The package of each profile that exists."""


@dataclass(frozen=True, slots=True)
class ProfileRecords:
    """The stored records about some profiles. The keys are profile ids. A profile without a record has no entry."""

    windows: Mapping[str, Windows] = field(default_factory=dict[str, Windows])
    closures: Mapping[str, Sequence[Closure]] = field(default_factory=dict[str, Sequence[Closure]])
    conditions: Mapping[str, Condition] = field(default_factory=dict[str, Condition])
    accounts: Mapping[str, AccountStatus] = field(default_factory=dict[str, AccountStatus])


@dataclass(frozen=True, slots=True)
class RemovedProfile:
    """A profile that an operator removed."""

    profile_id: str
    removed_at: datetime
    """It was removed at this time or earlier. A later closure or report may be of a new profile with the same id."""


def package_of_profile(packages: Iterable[Package]) -> dict[str, str]:
    return {profile.profile_id: package.package_id for package in packages for profile in package.profiles}


def profile_states(packages: PackageOfProfile, records: ProfileRecords, now: datetime) -> list[ProfileState]:
    """The state of each profile. A profile without counts has empty windows."""
    return [_state(profile, package, records, now) for profile, package in packages.items()]


def state_of_new_profile(profile_id: str, package_id: str, now: datetime) -> ProfileState:
    """The state of a profile of which nothing is known."""
    return ProfileState(profile_id=profile_id, package_id=package_id, at=now)


def is_changed(state: ProfileState, published: ProfileState | None) -> bool:
    """Whether anything but `at` differs from the published state."""
    return published is None or state.model_copy(update={"at": published.at}) != published


def _state(profile: str, package: str, records: ProfileRecords, now: datetime) -> ProfileState:
    condition, account = records.conditions.get(profile), records.accounts.get(profile, AccountStatus())
    closures = records.closures.get(profile, ())
    factor, cause = (1.0, None) if condition is None else condition.factor.in_force(account)
    return ProfileState(
        profile_id=profile,
        package_id=package,
        open=_open_lane(lane_state(closures, "open", now), condition, factor, cause),
        reply=lane_state(closures, "reply", now),
        limit_factor=factor,
        limit_cause=cause,
        health=None if condition is None else condition.health,
        risks=() if condition is None else condition.risks,
        session=account.session,
        quality=account.quality,
        quota=account.quota,
        windows=records.windows.get(profile, Windows()),
        at=now,
    )


def _open_lane(closed: LaneState, condition: Condition | None, factor: float, cause: str | None) -> LaneState:
    """The state of the open lane. A closure takes precedence over a pause, and a pause over the limit factor."""
    if closed.state == "blocked" or condition is None:
        return closed
    if condition.pause.since is not None:
        pause_cause = f"health is {condition.health.score}: {weakest(condition.health)}"
        return LaneState(state="blocked", cause=pause_cause, kind="health", since=condition.pause.since)
    return LaneState(state="limited", cause=cause, kind="limit factor") if factor < 1 else closed
