"""Standing: how a profile fares now, and whether that is news."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from spreader.configuration import Package
from spreader.events import Lane, ProfileState, Windows
from stats.core.signs import Sign, lane_state

Roster = Mapping[str, str]
"""The profiles that exist, each with its package."""


def roster(packages: Iterable[Package]) -> dict[str, str]:
    return {profile.profile_id: package.package_id for package in packages for profile in package.profiles}


def standings(
    members: Roster, windows: Mapping[str, Windows], signs: Mapping[tuple[str, Lane], Sign], now: datetime
) -> list[ProfileState]:
    """The state of each member; a profile without any count has empty windows."""
    return [
        ProfileState(
            profile_id=profile,
            package_id=package,
            open=lane_state(signs.get((profile, "open")), now),
            reply=lane_state(signs.get((profile, "reply")), now),
            windows=windows.get(profile, Windows()),
            at=now,
        )
        for profile, package in members.items()
    ]


def is_news(state: ProfileState, published: ProfileState | None) -> bool:
    """Whether anything but the moment differs from what everybody knows already."""
    return published is None or state.model_copy(update={"at": published.at}) != published
