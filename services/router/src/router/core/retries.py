"""Retry: other profiles for deliveries that were surely not sent, or the end of them."""

import random
from collections import defaultdict
from collections.abc import Sequence

from router.core.candidates import candidates
from router.core.route import NoRoute, Route, RouteResult
from router.core.routing import ProfileSnapshot
from router.core.strategies import allocate
from spreader.contract.configuration import Package
from spreader.contract.events import DeliveryReturned

PROFILES_MAX = 3  # a delivery is tried from at most this many


def next_routes(
    returned: Sequence[DeliveryReturned], package: Package | None, fleet: ProfileSnapshot, chance: random.Random
) -> list[RouteResult]:
    """For each of a package's returned deliveries a profile that has not been tried, or why there is none.

    What comes back together is shared out together: so that those who take it finish at about the same time.
    """
    alike: dict[tuple[str, frozenset[str]], list[int]] = defaultdict(list)
    for place, each in enumerate(returned):
        alike[each.lane, frozenset(each.tried)].append(place)
    ways: dict[int, RouteResult] = {}
    for places in alike.values():
        some = [returned[place] for place in places]
        ways |= dict(zip(places, _ways(some, package, fleet, chance), strict=True))
    return [ways[place] for place in range(len(returned))]


def _ways(
    returned: Sequence[DeliveryReturned], package: Package | None, fleet: ProfileSnapshot, chance: random.Random
) -> list[RouteResult]:
    first = returned[0]
    if package is None:
        return [NoRoute(f"there is no package {first.package_id} any more")] * len(returned)
    if len(first.tried) >= PROFILES_MAX:
        return [NoRoute(f"tried from {len(first.tried)} profiles; last: {each.reason}") for each in returned]
    found = candidates(package, fleet.states, first.lane, first.tried)
    if not found.eligible:
        return [NoRoute(f"no other profile can send it; last: {each.reason}") for each in returned]
    if first.lane == "reply":
        profiles = [found.calmest(fleet.states)] * len(returned)
    else:
        profiles = list(allocate("smart", len(returned), fleet.pool(package, found), 0, chance).profiles)
    whence = ", ".join(first.tried) or "the pacer"
    return [
        Route(profile, f"given back by {whence}: {each.reason}")
        for profile, each in zip(profiles, returned, strict=True)
    ]
