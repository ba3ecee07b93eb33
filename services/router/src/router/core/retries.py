"""Retry: another profile for a delivery that was surely not sent, or the end of it."""

from collections.abc import Mapping

from router.core.candidates import candidates
from router.core.conversations import NoWay, Through
from spreader.configuration import Package
from spreader.events import DeliveryReturned, ProfileState

PROFILES_MAX = 3  # a delivery is tried from at most this many


def next_profile(
    returned: DeliveryReturned, package: Package | None, states: Mapping[str, ProfileState]
) -> Through | NoWay:
    """A profile that has not been tried, or why there is none."""
    if package is None:
        return NoWay(f"there is no package {returned.package_id} any more")
    if len(returned.tried) >= PROFILES_MAX:
        return NoWay(f"tried from {len(returned.tried)} profiles; last: {returned.reason}")
    found = candidates(package, states, returned.lane, returned.tried)
    if not found.eligible:
        return NoWay(f"no other profile can send it; last: {returned.reason}")
    whence = ", ".join(returned.tried) or "the pacer"
    return Through(found.calmest(states), f"given back by {whence}: {returned.reason}")
