"""Leaving: when a profile's queue must go to others, and what becomes of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from spreader.contract.configuration import Package
from spreader.contract.events import ProfileState


@dataclass(frozen=True, slots=True)
class Leaving:
    """`returned`: the router finds other profiles; `cancelled`: nobody is left to send it."""

    state: Literal["returned", "cancelled"]
    reason: str


def leaving(
    package_id: str, package: Package | None, profile_id: str, states: Mapping[str, ProfileState | None]
) -> Leaving | None:
    """None: the profile keeps its queue. `states`: of all profiles of the package, as far as they are known."""
    if package is None:
        return Leaving("cancelled", f"package {package_id} is gone")
    if package.profile(profile_id) is None:
        return Leaving("returned", f"profile {profile_id} is no longer in the package")
    if not _is_blocked(states.get(profile_id)):
        return None
    others = (profile for profile in package.profiles if profile.profile_id != profile_id and not profile.paused)
    if package.paused or all(_is_blocked(states.get(other.profile_id)) for other in others):
        return None  # nobody could take it: better it waits here than fails
    state = states.get(profile_id)
    cause = state.open.cause if state is not None and state.open.cause else "no cause given"
    return Leaving("returned", f"profile {profile_id} is blocked for open chat: {cause}")


def _is_blocked(state: ProfileState | None) -> bool:
    return state is not None and state.open.state == "blocked"
