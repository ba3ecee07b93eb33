"""Strategies: how the deliveries of an open message are shared out among the candidates, and why so."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from router.core.loads import Load, balance
from spreader.contract.configuration import Distribution
from spreader.contract.ids import ProfileId

WEIGHT_MAX = 100


@dataclass(frozen=True, slots=True)
class CandidatePool:
    """Those who may take deliveries (at least one), and what the strategies ask about them."""

    eligible: Sequence[ProfileId]
    weights: Mapping[str, int] = field(default_factory=dict[str, int])
    loads: Mapping[str, Load] = field(default_factory=dict[str, Load])


@dataclass(frozen=True, slots=True)
class Allocation:
    """Who gets which delivery: a profile for each, in the order of the recipients; and where the next round begins."""

    profiles: tuple[ProfileId, ...]
    cursor: int
    reasons: Mapping[ProfileId, str]
    """For each candidate why it got so many."""


def allocate(
    strategy: Distribution,
    deliveries: int,
    crew: CandidatePool,
    cursor: int,
    chance: random.Random,
    bound: Mapping[int, ProfileId] | None = None,
) -> Allocation:
    """Share out `deliveries`. `cursor` counts the package's deliveries in rounds so far.

    `bound`: the places of recipients who talk to a candidate already; those stay with it, the strategy shares the rest.
    """
    bound = bound or {}
    rest = deliveries - len(bound)
    match strategy:
        case "round_robin":
            shared, reasons = _round_robin(rest, crew, cursor)
        case "random":
            shared, reasons = chance.choices(crew.eligible, k=rest), dict.fromkeys(crew.eligible, "by chance")
        case "weighted":
            shared, reasons = _weighted(rest, crew, chance)
        case "smart":
            shared, reasons = _smart(rest, crew, Counter(bound.values()), chance)
    others = iter(shared)
    profiles = tuple(bound[place] if place in bound else next(others) for place in range(deliveries))
    moved = rest if strategy == "round_robin" else 0
    return Allocation(profiles, cursor + moved, _with_bound(reasons, Counter(bound.values())))


def _round_robin(deliveries: int, crew: CandidatePool, cursor: int) -> tuple[list[ProfileId], dict[ProfileId, str]]:
    eligible = crew.eligible
    shared = [eligible[(cursor + number) % len(eligible)] for number in range(deliveries)]
    place = {eligible[(cursor + number) % len(eligible)]: number + 1 for number in reversed(range(len(eligible)))}
    return shared, {profile: f"number {place[profile]} of {len(eligible)} in the round" for profile in eligible}


def _weighted(
    deliveries: int, crew: CandidatePool, chance: random.Random
) -> tuple[list[ProfileId], dict[ProfileId, str]]:
    """In proportion to the weights, to the unit, by largest remainder (Hamilton's method); in random order."""
    weight = {profile: crew.weights.get(profile, 1) for profile in crew.eligible}
    total = sum(weight.values())
    counts = {profile: deliveries * weight[profile] // total for profile in crew.eligible}
    remainders = sorted(crew.eligible, key=lambda profile: (-(deliveries * weight[profile] % total), profile))
    for profile in remainders[: deliveries - sum(counts.values())]:
        counts[profile] += 1
    return _mixed(counts, chance), {profile: f"weight {weight[profile]} of {total}" for profile in crew.eligible}


def _smart(
    deliveries: int, crew: CandidatePool, bound: Mapping[ProfileId, int], chance: random.Random
) -> tuple[list[ProfileId], dict[ProfileId, str]]:
    """So that all finish at about the same time."""
    loads = {profile: crew.loads.get(profile, Load(0, 1.0)) for profile in crew.eligible}
    before: dict[str, Load] = {
        profile: Load(load.held + bound.get(profile, 0), load.per_day) for profile, load in loads.items()
    }
    counts = balance(deliveries, before)
    reasons = {
        profile: f"{load.held} wait for it, {load.per_day:.0f} a day: with these it is done in "
        f"{(before[profile].held + counts[profile]) / load.per_day:.1f} days"
        for profile, load in loads.items()
    }
    return _mixed({ProfileId(profile): count for profile, count in counts.items()}, chance), reasons


def _mixed(counts: Mapping[ProfileId, int], chance: random.Random) -> list[ProfileId]:
    shared = [profile for profile, count in counts.items() for _ in range(count)]
    chance.shuffle(shared)
    return shared


def _with_bound(reasons: Mapping[ProfileId, str], bound: Mapping[ProfileId, int]) -> dict[ProfileId, str]:
    return {
        profile: reason + (f"; {bound[profile]} talk to it" if profile in bound else "")
        for profile, reason in reasons.items()
    }
