"""Retry: finds the next profile for deliveries that were certainly not sent, or the reason why there is none now or
ever."""

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from router.core.candidates import Candidates, find_candidates
from router.core.route import NoRoute, NoRouteNow, ReassignResult, Route
from router.core.routing import ProfileSnapshot, bound_profiles, keeps_profiles, no_candidate_reason
from router.core.strategies import allocate
from spreader.contract.configuration import Package
from spreader.contract.events import DeliveryReturned
from spreader.phone.canonical import PersonKey

PROFILES_MAX = 3
"""A delivery is tried from at most this many profiles."""


def next_routes(
    returned: Sequence[DeliveryReturned], package: Package, snapshot: ProfileSnapshot, chance: random.Random
) -> list[ReassignResult]:
    """For each returned delivery of a package, a profile that has not been tried, or why there is none.

    Deliveries of the same lane that were tried on the same profiles are shared out together. So the profiles that take
    them finish at about the same time.
    """
    routes: dict[int, ReassignResult] = {}
    for alike in _groups((delivery.lane, frozenset(delivery.tried)) for delivery in returned):
        candidates = _candidates(returned[alike[0]], package, snapshot)
        if not candidates.eligible:
            routes |= {index: _no_route(returned[index], package, candidates) for index in alike}
            continue
        if returned[alike[0]].lane == "reply":
            profiles = [candidates.calmest(snapshot.states)] * len(alike)
        else:
            profiles = list(allocate("smart", len(alike), snapshot.pool(package, candidates), "", chance).profiles)
        for index, profile in zip(alike, profiles, strict=True):
            whence = ", ".join(returned[index].tried) or "the pacer"
            routes[index] = Route(profile, f"given back by {whence}: {returned[index].reason}")
    return [routes[index] for index in range(len(returned))]


def share_waiting(
    returned: Sequence[DeliveryReturned],
    package: Package,
    snapshot: ProfileSnapshot,
    cursor: str,
    chance: random.Random,
    talks_to: Mapping[PersonKey, str],
) -> tuple[list[ReassignResult], str]:
    """The routes of a package's deliveries that waited without a profile. Also returns the package's new
    round-robin cursor: the profile that had the last turn in the package's rounds.

    These deliveries are shared out by the strategy of their message, as if they had been requested now. `talks_to`: the
    profile of each recipient with a conversation.
    """
    routes: dict[int, ReassignResult] = {}
    for alike in _groups((delivery.distribution, frozenset(delivery.tried)) for delivery in returned):
        candidates = _candidates(returned[alike[0]], package, snapshot)
        if not candidates.eligible:
            routes |= {index: _no_route(returned[index], package, candidates) for index in alike}
            continue
        strategy = returned[alike[0]].distribution or package.distribution
        persons = [returned[index].person for index in alike]
        bound = bound_profiles(persons, talks_to, candidates) if keeps_profiles(package, strategy) else {}
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


def without_package(returned: DeliveryReturned, is_removed: bool, now: datetime) -> NoRoute | NoRouteNow:
    """The result for a delivery whose package this process does not know. The delivery ends only if a record says that
    the package was removed. Otherwise it waits, because the record of the package may come later. A reply waits only
    until it expires."""
    if is_removed:
        return NoRoute(f"there is no package {returned.package_id} any more")
    if returned.lane == "reply" and (returned.expires_at is None or returned.expires_at <= now):
        return NoRoute(f"it expired before the router knew package {returned.package_id}; last: {returned.reason}")
    return NoRouteNow(f"the router does not know package {returned.package_id} yet")
