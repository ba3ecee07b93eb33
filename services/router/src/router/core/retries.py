"""Retry: other profiles for deliveries that were surely not sent, or the end of them."""

import random
from collections import defaultdict
from collections.abc import Sequence

from router.core.candidates import candidates
from router.core.route import NoWay, Through, Way
from router.core.routing import Fleet
from router.core.strategies import share
from spreader.contract.configuration import Package
from spreader.contract.events import DeliveryReturned

PROFILES_MAX = 3  # a delivery is tried from at most this many


def next_ways(
    returned: Sequence[DeliveryReturned], package: Package | None, fleet: Fleet, chance: random.Random
) -> list[Way]:
    """For each of a package's returned deliveries a profile that has not been tried, or why there is none.

    What comes back together is shared out together: so that those who take it finish at about the same time.
    """
    alike: dict[tuple[str, frozenset[str]], list[int]] = defaultdict(list)
    for place, each in enumerate(returned):
        alike[each.lane, frozenset(each.tried)].append(place)
    ways: dict[int, Way] = {}
    for places in alike.values():
        some = [returned[place] for place in places]
        ways |= dict(zip(places, _ways(some, package, fleet, chance), strict=True))
    return [ways[place] for place in range(len(returned))]


def _ways(
    returned: Sequence[DeliveryReturned], package: Package | None, fleet: Fleet, chance: random.Random
) -> list[Way]:
    first = returned[0]
    if package is None:
        return [NoWay(f"there is no package {first.package_id} any more")] * len(returned)
    if len(first.tried) >= PROFILES_MAX:
        return [NoWay(f"tried from {len(first.tried)} profiles; last: {each.reason}") for each in returned]
    found = candidates(package, fleet.states, first.lane, first.tried)
    if not found.eligible:
        return [NoWay(f"no other profile can send it; last: {each.reason}") for each in returned]
    if first.lane == "reply":
        profiles = [found.calmest(fleet.states)] * len(returned)
    else:
        profiles = list(share("smart", len(returned), fleet.crew(package, found), 0, chance).profiles)
    whence = ", ".join(first.tried) or "the pacer"
    return [
        Through(profile, f"given back by {whence}: {each.reason}")
        for profile, each in zip(profiles, returned, strict=True)
    ]
