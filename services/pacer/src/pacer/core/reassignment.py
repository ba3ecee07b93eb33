"""Reassignment: when a profile must give up its queue, and what happens to the deliveries."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pacer.core.waiting_queue import is_waiting_queue
from spreader.contract.configuration import Package, Profile
from spreader.contract.events import ProfileState

OthersCanSend = Callable[[Package, str], bool]
"""Whether the package has another profile, besides the one with this id, that can open conversations now."""


@dataclass(frozen=True, slots=True)
class QueueReassignment:
    """`returned`: the router chooses other profiles. `cancelled`: the package is gone, so no profile can send the
    deliveries."""

    state: Literal["returned", "cancelled"]
    reason: str


def reassignment_for(
    package: Package,
    profile: Profile | None,
    profile_id: str,
    state: ProfileState | None,
    others_can_send: OthersCanSend,
) -> QueueReassignment | None:
    """None: the profile keeps its queue. The argument `profile` is None if the package does not have the profile."""
    if is_waiting_queue(profile_id):
        return None  # `pacer.release.waiting_queues` decides
    if profile is None:
        return QueueReassignment("returned", f"profile {profile_id} is no longer in the package")
    if not _is_blocked(state):
        return None
    if not others_can_send(package, profile_id):
        return None  # the router would find no other profile, so the deliveries wait here instead of failing
    cause = state.open.cause if state is not None and state.open.cause else "no cause given"
    return QueueReassignment("returned", f"profile {profile_id} is blocked for open chat: {cause}")


def removed(package_id: str) -> QueueReassignment:
    return QueueReassignment("cancelled", f"package {package_id} is gone")


def _is_blocked(state: ProfileState | None) -> bool:
    return state is not None and state.open.state == "blocked"
