"""Strategies: how the deliveries of an open message are shared out among the candidates."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spreader.configuration import Distribution
from spreader.ids import ProfileId

WEIGHT_MAX = 100


@dataclass(frozen=True, slots=True)
class Share:
    """Who gets which delivery: a profile for each, in the order of the recipients; and where the next round begins."""

    profiles: tuple[ProfileId, ...]
    cursor: int


def share(
    strategy: Distribution,
    deliveries: int,
    eligible: Sequence[ProfileId],
    cursor: int,
    weights: Mapping[str, int],
    chance: random.Random,
) -> Share:
    """Share out `deliveries` among `eligible` (at least one). `cursor` counts the package's deliveries so far."""
    match strategy:
        case "round_robin":
            return Share(_round_robin(deliveries, eligible, cursor), cursor + deliveries)
        case "random":
            return Share(tuple(chance.choices(eligible, k=deliveries)), cursor)
        case "weighted" | "smart":
            return Share(_weighted(deliveries, eligible, weights, chance), cursor)


def _round_robin(deliveries: int, eligible: Sequence[ProfileId], cursor: int) -> tuple[ProfileId, ...]:
    return tuple(eligible[(cursor + number) % len(eligible)] for number in range(deliveries))


def _weighted(
    deliveries: int, eligible: Sequence[ProfileId], weights: Mapping[str, int], chance: random.Random
) -> tuple[ProfileId, ...]:
    """In proportion to the weights, to the unit, by largest remainder (Hamilton's method); in random order."""
    weight = {profile: weights.get(profile, 1) for profile in eligible}
    total = sum(weight.values())
    counts = {profile: deliveries * weight[profile] // total for profile in eligible}
    remainders = sorted(eligible, key=lambda profile: (-(deliveries * weight[profile] % total), profile))
    for profile in remainders[: deliveries - sum(counts.values())]:
        counts[profile] += 1
    shared = [profile for profile, count in counts.items() for _ in range(count)]
    chance.shuffle(shared)
    return tuple(shared)
