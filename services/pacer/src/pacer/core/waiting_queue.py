"""Waiting queue: the held deliveries of a package that have no profile. This module decides who gets them when a
profile can send.

A waiting queue is stored like the queue of a profile, under an id that no profile can have. So a cancellation, an
expiry or a change of consent ends these deliveries like all others.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from spreader.contract.configuration import Package
from spreader.contract.events import (
    AssignedDelivery,
    OpenDeliveriesAssigned,
    OpenDeliveriesWaiting,
    ProfileState,
    WaitingDelivery,
)
from spreader.contract.obstacles import obstacle

HeldEvent = OpenDeliveriesAssigned | OpenDeliveriesWaiting
NewDelivery = AssignedDelivery | WaitingDelivery

PREFIX = "*"
"""The id of a profile never contains this character."""
REASON = "it waited for a profile"


def waiting_queue(package_id: str) -> str:
    return PREFIX + package_id


def is_waiting_queue(profile_id: str) -> bool:
    return profile_id.startswith(PREFIX)


def profile_of(profile_id: str) -> str | None:
    """The profile whose queue has this id. None: it is a waiting queue."""
    return None if is_waiting_queue(profile_id) else profile_id


def queue_of(event: HeldEvent, delivery: NewDelivery) -> str:
    return delivery.profile_id if isinstance(delivery, AssignedDelivery) else waiting_queue(event.package_id)


@dataclass(frozen=True, slots=True)
class Takers:
    """The profiles that can send now."""

    able: tuple[str, ...]
    """All profiles that can send now, backups included."""
    taking: tuple[str, ...]
    """Those that get deliveries now. Backups are among them only if no other profile can send."""
    obstacles: Mapping[str, str]
    """Why each of the other profiles cannot send."""
    is_complete: bool
    """Whether all profiles that share the package's work can send (backups share it only if all profiles are backups).
    If one cannot, each of the others gets only a day's work at a time. Otherwise all deliveries would go to the first
    profile that can send."""

    @property
    def why_waiting(self) -> str:
        missing = "; ".join(f"{profile}: {reason}" for profile, reason in self.obstacles.items())
        if not self.able:
            return f"No profile of the package can send now ({missing or 'it has none'})."
        return (
            f"The profiles that can send now have a day's work that goes before it. The rest is kept for those that "
            f"cannot ({missing or 'all can'})."
        )


def find_takers(package: Package, states: Mapping[str, ProfileState | None]) -> Takers:
    """`states` has the known states of all profiles of the package."""
    found = {
        profile.profile_id: obstacle(package, profile, states.get(profile.profile_id), "open")
        for profile in package.profiles
    }
    backups = {profile.profile_id for profile in package.profiles if profile.backup}
    able = tuple(profile for profile, reason in found.items() if reason is None)
    regular = tuple(profile for profile in able if profile not in backups)
    expected = found.keys() - backups or backups
    return Takers(
        able=able,
        taking=regular or able,
        obstacles={profile: reason for profile, reason in found.items() if reason is not None},
        is_complete=expected <= set(able),
    )


def portion(takers: Takers, per_day: Mapping[str, int], ahead: Mapping[str, int]) -> int | None:
    """How many waiting deliveries to share out now; None: all.

    `per_day`: the daily limit in force of each profile in `takers.taking`. `ahead`: how many deliveries in each
    profile's own queue go before the first waiting delivery. The count stops at the profile's daily limit.
    """
    if takers.is_complete:
        return None
    return sum(max(per_day.get(profile, 1) - ahead.get(profile, 0), 0) for profile in takers.taking)
