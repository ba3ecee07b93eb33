"""Retry: finds the next profile for deliveries that were certainly not sent, or the reason why there is none now or
ever."""

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from router.core.candidates import Candidates, find_candidates
from router.core.route import NoRoute, NoRouteNow, ReassignResult, Route
from router.core.routing import ProfileSnapshot, bound_profiles, keeps_profiles, no_candidate_reason
from router.core.strategies import allocate
from spreader.contract.configuration import Package
from spreader.contract.events import DeliveryReturned

PROFILES_MAX = 3
"""A delivery is tried from at most this many profiles."""


def next_routes(
    returned: Sequence[DeliveryReturned], package: Package | None, snapshot: ProfileSnapshot, chance: random.Random
) -> list[ReassignResult]:
    """For each returned delivery of a package, a profile that has not been tried, or why there is none.

    Deliveries of the same lane and the same tried profiles are shared out together, so that the profiles that take them
    finish at about the same time.
    """
    if package is None:
        return [_gone(delivery) for delivery in returned]
    routes: dict[int, ReassignResult] = {}
    for alike in _groups((delivery.lane, frozenset(delivery.tried)) for delivery in returned):
        candidates = _candidates(returned[alike[0]], package, snapshot)
        if not candidates.eligible:
            routes |= {index: _no_route(returned[index], package, candidates) for index in alike}
            continue
        if returned[alike[0]].lane == "reply":
            profiles = [candidates.calmest(snapshot.states)] * len(alike)
        else:
            profiles = list(allocate("smart", len(alike), snapshot.pool(package, candidates), 0, chance).profiles)
        for index, profile in zip(alike, profiles, strict=True):
            whence = ", ".join(returned[index].tried) or "the pacer"
            routes[index] = Route(profile, f"given back by {whence}: {returned[index].reason}")
    return [routes[index] for index in range(len(returned))]


def share_waiting(
    returned: Sequence[DeliveryReturned],
    package: Package | None,
    snapshot: ProfileSnapshot,
    cursor: int,
    chance: random.Random,
    talks_to: Mapping[str, str],
) -> tuple[list[ReassignResult], int]:
    """The routes of a package's deliveries that waited without a profile, and the package's cursor after them.

    These deliveries are shared out by the strategy of their message, as if they had been requested now. `talks_to`: the
    profile of each recipient with a conversation.
    """
    if package is None:
        return [_gone(delivery) for delivery in returned], cursor
    routes: dict[int, ReassignResult] = {}
    for alike in _groups((delivery.distribution, frozenset(delivery.tried)) for delivery in returned):
        candidates = _candidates(returned[alike[0]], package, snapshot)
        if not candidates.eligible:
            routes |= {index: _no_route(returned[index], package, candidates) for index in alike}
            continue
        strategy = returned[alike[0]].distribution or package.distribution
        recipients = [returned[index].recipient for index in alike]
        bound = bound_profiles(recipients, talks_to, candidates) if keeps_profiles(package, strategy) else {}
        allocation = allocate(strategy, len(alike), snapshot.pool(package, candidates), cursor, chance, bound)
        cursor = allocation.cursor
        for index, profile in zip(alike, allocation.profiles, strict=True):
            routes[index] = Route(profile, returned[index].reason)
    return [routes[index] for index in range(len(returned))], cursor


def _groups(keys: Iterable[object]) -> list[list[int]]:
    """The indexes of the keys, in groups of equal keys."""
    groups: dict[object, list[int]] = defaultdict(list)
    for index, key in enumerate(keys):
        groups[key].append(index)
    return list(groups.values())


def _candidates(returned: DeliveryReturned, package: Package, snapshot: ProfileSnapshot) -> Candidates:
    if len(returned.tried) >= PROFILES_MAX or (returned.lane == "reply" and not package.reply_failover):
        return Candidates(())
    return find_candidates(package, snapshot.states, returned.lane, returned.tried)


def _no_route(returned: DeliveryReturned, package: Package, candidates: Candidates) -> NoRoute | NoRouteNow:
    if len(returned.tried) >= PROFILES_MAX:
        return NoRoute(f"tried from {len(returned.tried)} profiles; last: {returned.reason}")
    if returned.lane == "reply" and not package.reply_failover:
        return NoRoute(f"the package lets no other profile answer; last: {returned.reason}")
    if returned.lane == "open" and not set(package.profile_ids) <= set(returned.tried):
        return NoRouteNow(no_candidate_reason(package, candidates))
    return NoRoute(f"no other profile can send it; last: {returned.reason}")


def _gone(returned: DeliveryReturned) -> NoRoute:
    return NoRoute(f"there is no package {returned.package_id} any more")
