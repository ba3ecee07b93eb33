"""Standing: how a profile fares now, and whether that is news."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from spreader.contract.configuration import Package
from spreader.contract.events import LaneState, ProfileState, Windows
from stats.core.closures import Closure, lane_state
from stats.core.condition import Condition, weakest
from stats.core.evidence import Reported

Roster = Mapping[str, str]
"""The profiles that exist, each with its package."""


@dataclass(frozen=True, slots=True)
class Known:
    """What there is to tell of some profiles, by profile; whoever is not named has nothing."""

    windows: Mapping[str, Windows] = field(default_factory=dict[str, Windows])
    closures: Mapping[str, Sequence[Closure]] = field(default_factory=dict[str, Sequence[Closure]])
    conditions: Mapping[str, Condition] = field(default_factory=dict[str, Condition])
    reported: Mapping[str, Reported] = field(default_factory=dict[str, Reported])


def roster(packages: Iterable[Package]) -> dict[str, str]:
    return {profile.profile_id: package.package_id for package in packages for profile in package.profiles}


def standings(members: Roster, known: Known, now: datetime) -> list[ProfileState]:
    """The state of each member; a profile without any count has empty windows."""
    return [_standing(profile, package, known, now) for profile, package in members.items()]


def is_news(state: ProfileState, published: ProfileState | None) -> bool:
    """Whether anything but the moment differs from what everybody knows already."""
    return published is None or state.model_copy(update={"at": published.at}) != published


def _standing(profile: str, package: str, known: Known, now: datetime) -> ProfileState:
    condition, reported = known.conditions.get(profile), known.reported.get(profile, Reported())
    closures = known.closures.get(profile, ())
    factor, cause = (1.0, None) if condition is None else condition.factor.in_force(reported)
    return ProfileState(
        profile_id=profile,
        package_id=package,
        open=_open(lane_state(closures, "open", now), condition, factor, cause),
        reply=lane_state(closures, "reply", now),
        limit_factor=factor,
        limit_cause=cause,
        health=None if condition is None else condition.health,
        risks=() if condition is None else condition.risks,
        session=reported.session,
        quality=reported.quality,
        quota=reported.quota,
        windows=known.windows.get(profile, Windows()),
        at=now,
    )


def _open(closed: LaneState, condition: Condition | None, factor: float, cause: str | None) -> LaneState:
    """What a gateway's word or a sign has closed; else a pause by health; else whether its limits are lowered."""
    if closed.state == "blocked" or condition is None:
        return closed
    if condition.pause.since is not None:
        words = f"health is {condition.health.score}: {weakest(condition.health)}"
        return LaneState(state="blocked", cause=words, kind="health", since=condition.pause.since)
    return LaneState(state="limited", cause=cause, kind="limit factor") if factor < 1 else closed
