"""Reassignment: when a profile must give up its queue, and what happens to the deliveries."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pacer.core.waiting_queue import is_waiting_queue
from spreader.contract.configuration import Package
from spreader.contract.events import ProfileState
from spreader.contract.obstacles import obstacle


@dataclass(frozen=True, slots=True)
class QueueReassignment:
    """`returned`: the router chooses other profiles. `cancelled`: the package is gone, so no profile can send the
    deliveries."""

    state: Literal["returned", "cancelled"]
    reason: str


def reassignment_for(
    package_id: str, package: Package | None, profile_id: str, states: Mapping[str, ProfileState | None]
) -> QueueReassignment | None:
    """None: the profile keeps its queue. `states` has the known states of all profiles of the package."""
    if package is None:
        return QueueReassignment("cancelled", f"package {package_id} is gone")
    if is_waiting_queue(profile_id):
        return None  # `pacer.release.waiting_queues` decides
    if package.profile(profile_id) is None:
        return QueueReassignment("returned", f"profile {profile_id} is no longer in the package")
    if not _is_blocked(states.get(profile_id)):
        return None
    others = (profile for profile in package.profiles if profile.profile_id != profile_id)
    if all(obstacle(package, other, states.get(other.profile_id), "open") is not None for other in others):
        return None  # the router could not choose another profile either: the deliveries wait here instead of failing
    state = states.get(profile_id)
    cause = state.open.cause if state is not None and state.open.cause else "no cause given"
    return QueueReassignment("returned", f"profile {profile_id} is blocked for open chat: {cause}")


def _is_blocked(state: ProfileState | None) -> bool:
    return state is not None and state.open.state == "blocked"
