"""Retry: the next profile for deliveries that were certainly not sent, or why there is none."""

import random
from collections import defaultdict
from collections.abc import Sequence

from router.core.candidates import find_candidates
from router.core.route import NoRoute, Route, RouteResult
from router.core.routing import ProfileSnapshot
from router.core.strategies import allocate
from spreader.contract.configuration import Package
from spreader.contract.events import DeliveryReturned

PROFILES_MAX = 3
"""A delivery is tried from at most this many profiles."""


def next_routes(
    returned: Sequence[DeliveryReturned], package: Package | None, snapshot: ProfileSnapshot, chance: random.Random
) -> list[RouteResult]:
    """For each returned delivery of a package, a profile that has not been tried, or why there is none.

    Deliveries of the same lane and the same tried profiles are shared out together, so that the profiles that take them
    finish at about the same time.
    """
    alike: dict[tuple[str, frozenset[str]], list[int]] = defaultdict(list)
    for index, delivery in enumerate(returned):
        alike[delivery.lane, frozenset(delivery.tried)].append(index)
    routes: dict[int, RouteResult] = {}
    for indexes in alike.values():
        deliveries = [returned[index] for index in indexes]
        routes |= dict(zip(indexes, _routes(deliveries, package, snapshot, chance), strict=True))
    return [routes[index] for index in range(len(returned))]


def _routes(
    returned: Sequence[DeliveryReturned], package: Package | None, snapshot: ProfileSnapshot, chance: random.Random
) -> list[RouteResult]:
    first = returned[0]
    if package is None:
        return [NoRoute(f"there is no package {first.package_id} any more")] * len(returned)
    if len(first.tried) >= PROFILES_MAX:
        return [NoRoute(f"tried from {len(first.tried)} profiles; last: {delivery.reason}") for delivery in returned]
    candidates = find_candidates(package, snapshot.states, first.lane, first.tried)
    if not candidates.eligible:
        return [NoRoute(f"no other profile can send it; last: {delivery.reason}") for delivery in returned]
    if first.lane == "reply":
        profiles = [candidates.calmest(snapshot.states)] * len(returned)
    else:
        pool = snapshot.pool(package, candidates)
        profiles = list(allocate("smart", len(returned), pool, 0, chance).profiles)
    whence = ", ".join(first.tried) or "the pacer"
    return [
        Route(profile, f"given back by {whence}: {delivery.reason}")
        for profile, delivery in zip(profiles, returned, strict=True)
    ]
