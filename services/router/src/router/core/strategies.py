"""Strategies: how the deliveries of an open message are shared out among the candidates."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from router.core.candidates import CHOSEN_KEPT_MAX, KEPT_MAX
from router.core.loads import Load, balance
from spreader.contract.configuration import Distribution, Package
from spreader.contract.events import ProfileState
from spreader.contract.ids import ProfileId

WEIGHT_MAX = 100


@dataclass(frozen=True, slots=True)
class CandidatePool:
    """The eligible profiles (at least one), with their weights and loads."""

    eligible: Sequence[ProfileId]
    weights: Mapping[str, int] = field(default_factory=dict[str, int])
    loads: Mapping[str, Load] = field(default_factory=dict[str, Load])


@dataclass(frozen=True, slots=True)
class Allocation:
    profiles: tuple[ProfileId, ...]
    """The profile of each delivery, in the order of the recipients."""
    cursor: str
    """The profile that had the last turn of the package's rounds. It is "" if no profile has had a turn."""
    reasons: Mapping[ProfileId, str]
    """The reason for each candidate's share."""

    @property
    def kept_reasons(self) -> dict[ProfileId, str]:
        """The reasons that a stored record keeps: those of the first profiles that got deliveries, and of some of the
        others."""
        chosen = dict.fromkeys(self.profiles)
        others = (profile for profile in self.reasons if profile not in chosen)
        shown = [*islice(chosen, CHOSEN_KEPT_MAX), *islice(others, KEPT_MAX)]
        return {profile: self.reasons[profile] for profile in shown if profile in self.reasons}


def allocate(
    strategy: Distribution,
    deliveries: int,
    pool: CandidatePool,
    cursor: str,
    chance: random.Random,
    bound: Mapping[int, ProfileId] | None = None,
) -> Allocation:
    """Share out `deliveries` by the strategy.

    `cursor`: the profile that had the last turn of the package's rounds. `bound`: the profiles of recipients with a
    conversation, by index. These recipients keep their profile, and the strategy shares out the other deliveries.
    """
    bound = bound or {}
    rest = deliveries - len(bound)
    match strategy:
        case "round_robin":
            shared, reasons, cursor = _round_robin(rest, pool, cursor)
        case "random":
            shared, reasons = chance.choices(pool.eligible, k=rest), dict.fromkeys(pool.eligible, "by chance")
        case "weighted":
            shared, reasons = _weighted(rest, pool, chance)
        case "smart":
            shared, reasons = _smart(rest, pool, Counter(bound.values()), chance)
    others = iter(shared)
    profiles = tuple(bound[index] if index in bound else next(others) for index in range(deliveries))
    return Allocation(profiles, cursor, _with_bound(reasons, Counter(bound.values())))


def _round_robin(
    deliveries: int, pool: CandidatePool, cursor: str
) -> tuple[list[ProfileId], dict[ProfileId, str], str]:
    """Each eligible profile in turn, in the order of their ids, beginning after the cursor.

    Other profiles are passed over, and the order and the cursor do not depend on them. So profiles that are eligible
    over the same time get equally many deliveries, give or take one. It does not matter which other profiles pause,
    come or go.
    """
    turns = sorted(pool.eligible, key=lambda profile: (profile <= cursor, profile))
    reasons = {profile: f"number {number} of {len(turns)} in the round" for number, profile in enumerate(turns, 1)}
    shared = [turns[number % len(turns)] for number in range(deliveries)]
    return shared, reasons, shared[-1] if shared else cursor


def _weighted(
    deliveries: int, pool: CandidatePool, chance: random.Random
) -> tuple[list[ProfileId], dict[ProfileId, str]]:
    """Share out in proportion to the weights, rounded by largest remainder (Hamilton's method), in random order."""
    weight = {profile: pool.weights.get(profile, 1) for profile in pool.eligible}
    total = sum(weight.values())
    counts = {profile: deliveries * weight[profile] // total for profile in pool.eligible}
    remainders = sorted(pool.eligible, key=lambda profile: (-(deliveries * weight[profile] % total), profile))
    for profile in remainders[: deliveries - sum(counts.values())]:
        counts[profile] += 1
    return _shuffled(counts, chance), {profile: f"weight {weight[profile]} of {total}" for profile in pool.eligible}


def _smart(
    deliveries: int, pool: CandidatePool, bound: Mapping[ProfileId, int], chance: random.Random
) -> tuple[list[ProfileId], dict[ProfileId, str]]:
    """Share out so that all profiles finish at about the same time. The order is random."""
    loads = {profile: pool.loads.get(profile, Load(0, 1.0)) for profile in pool.eligible}
    before: dict[str, Load] = {
        profile: Load(load.held + bound.get(profile, 0), load.per_day) for profile, load in loads.items()
    }
    counts = balance(deliveries, before)
    reasons = {
        profile: f"{load.held} wait for it, {load.per_day:.0f} a day: with these it is done in "
        f"{(before[profile].held + counts[profile]) / load.per_day:.1f} days"
        for profile, load in loads.items()
    }
    return _shuffled({ProfileId(profile): count for profile, count in counts.items()}, chance), reasons


def _shuffled(counts: Mapping[ProfileId, int], chance: random.Random) -> list[ProfileId]:
    shared = [profile for profile, count in counts.items() for _ in range(count)]
    chance.shuffle(shared)
    return shared


def _with_bound(reasons: Mapping[ProfileId, str], bound: Mapping[ProfileId, int]) -> dict[ProfileId, str]:
    return {
        profile: reason + (f"; {bound[profile]} talk to it" if profile in bound else "")
        for profile, reason in reasons.items()
    }


def weights(package: Package, states: Mapping[str, ProfileState]) -> dict[str, int]:
    """The weight of each profile. If the operator has set none, the weight is computed from daily limit, limit factor
    and health."""
    room = {
        profile.profile_id: profile.limits.per_day * _usable_share(states.get(profile.profile_id))
        for profile in package.profiles
    }
    largest = max(room.values(), default=0.0) or 1.0
    return {
        profile.profile_id: profile.weight or max(1, round(WEIGHT_MAX * room[profile.profile_id] / largest))
        for profile in package.profiles
    }


def _usable_share(state: ProfileState | None) -> float:
    """The limit factor times health, from 0 to 1; 1 for a profile without a state."""
    if state is None:
        return 1.0
    return state.limit_factor * (1.0 if state.health is None else state.health.score / 100)
