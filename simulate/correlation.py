"""Correlation: how much a gap tells of the one after it, at lag 1 (decision 0019).

`of_gaps` leaves out what a limit made longer than its gap; `of_all` counts such waits as gaps, too.
"""

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean

from simulate.gaps import Gap


def of_gaps(found: Sequence[Gap]) -> float | None:
    """Of those that no limit made longer. None: limits hold too many, and those left are the long ones."""
    return of_all([gap for gap in found if gap.is_paced]) if is_paced(found) else None


def of_all(found: Sequence[Gap]) -> float:
    """Between the gaps that follow each other at once: their covariance over the variance of all."""
    seconds = [gap.seconds for gap in found]
    mean = fmean(seconds)
    variance = fmean([(each - mean) ** 2 for each in seconds])
    products = [
        (one.seconds - mean) * (other.seconds - mean) for one, other in pairwise(found) if other.place == one.place + 1
    ]
    return fmean(products) / variance if products and variance else 0.0


def is_paced(found: Sequence[Gap]) -> bool:
    """Whether limits make so few gaps longer (a tenth) that the others are still a fair sample of what is drawn."""
    return sum(gap.is_paced for gap in found) >= 0.9 * len(found)
