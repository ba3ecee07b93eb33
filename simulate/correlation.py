"""Correlation: how much a gap tells of the one after it, at lag 1, from four sides (decision 0019).

`of_gaps` takes the gaps as they are, so that a mean which moves counts as well; `of_all` counts as gaps also the waits
for a limit. `of_stretches` asks only where nothing moves, `of_draws` only of what is drawn.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import fmean

from simulate.gaps import Gap

STANDS = 1.25
"""A mean stands while it is within this factor, either way, of that of the stretch's first gap."""


def of_gaps(found: Sequence[Gap]) -> float | None:
    """Of those that no limit made longer. None: limits hold too many, and those left are the long ones."""
    return of_all([gap for gap in found if gap.is_paced]) if is_paced(found) else None


def of_all(found: Sequence[Gap]) -> float:
    """Between the gaps that follow each other at once: their covariance over the variance of all."""
    return _of([gap.seconds for gap in found], found)


def of_draws(found: Sequence[Gap]) -> float | None:
    """The same of each gap over its mean in force. None: limits hold too many, and those left are the long ones."""
    if not is_paced(found):
        return None
    drawn = [gap for gap in found if gap.is_paced]
    return _of([gap.seconds / gap.mean_seconds for gap in drawn], drawn)


def of_stretches(found: Sequence[Gap], pairs_min: int) -> float | None:
    """In seconds, around the mean of each stretch. None: fewer pairs than asked for.

    A sample's own mean makes any correlation look smaller, by 1 / length; that much is put back, so that gaps without
    any give 0 however short their stretches are.
    """
    covariance = square = pulled = 0.0
    pairs = 0
    for stretch in stretches(found):
        mean = fmean(gap.seconds for gap in stretch)
        offs = [gap.seconds - mean for gap in stretch]
        square += sum(off * off for off in offs)
        covariance += sum(one * other for one, other in pairwise(offs))
        pairs += len(offs) - 1
        pulled += (len(offs) - 1) / len(offs)
    if pairs < max(pairs_min, 1) or not square:
        return None
    variance = square / pairs
    return (covariance + pulled * variance) / (pairs * variance)


def stretches(found: Sequence[Gap]) -> Iterator[list[Gap]]:
    """Gaps that follow each other at once while the mean stands, all of them held by the gap or all by a limit."""
    stretch: list[Gap] = []
    for gap in found:
        if stretch and not _continues(stretch, gap):
            yield stretch
            stretch = []
        stretch.append(gap)
    if stretch:
        yield stretch


def is_paced(found: Sequence[Gap]) -> bool:
    """Whether limits make so few gaps longer (a tenth) that the others are still a fair sample of what is drawn."""
    return sum(gap.is_paced for gap in found) >= 0.9 * len(found)


def _continues(stretch: Sequence[Gap], gap: Gap) -> bool:
    first = stretch[0]
    stands = first.mean_seconds / STANDS <= gap.mean_seconds <= first.mean_seconds * STANDS
    return gap.place == stretch[-1].place + 1 and gap.is_paced == first.is_paced and stands


def _of(values: Sequence[float], found: Sequence[Gap]) -> float:
    mean = fmean(values)
    variance = fmean([(value - mean) ** 2 for value in values])
    followers = zip(pairwise(values), pairwise(found), strict=True)
    products = [
        (one - mean) * (other - mean) for (one, other), (gap, after) in followers if after.place == gap.place + 1
    ]
    return fmean(products) / variance if products and variance else 0.0
