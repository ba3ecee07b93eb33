"""Correlation: how well a gap predicts the next one, measured by the autocorrelation at lag 1 (decision 0019)."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean

from simulate.gaps import Gap


def paced_autocorrelation(gaps: Sequence[Gap]) -> float | None:
    """The autocorrelation of the gaps that no limit made longer. None: limits made too many gaps longer, so the other
    gaps are not a fair sample."""
    return autocorrelation([gap for gap in gaps if gap.is_paced]) if is_paced(gaps) else None


def autocorrelation(gaps: Sequence[Gap]) -> float:
    """The autocorrelation of all gaps, including those that a limit made longer. It is the covariance of adjacent gaps
    divided by the variance of all gaps."""
    seconds = [gap.seconds for gap in gaps]
    mean = fmean(seconds)
    variance = fmean([(second - mean) ** 2 for second in seconds])
    products = [
        (one.seconds - mean) * (other.seconds - mean) for one, other in pairwise(gaps) if other.place == one.place + 1
    ]
    return fmean(products) / variance if products and variance else 0.0


def is_paced(gaps: Sequence[Gap]) -> bool:
    """Whether the gaps that no limit made longer are a fair sample of the draws. They are a fair sample if they make up
    at least nine tenths of all gaps."""
    return sum(gap.is_paced for gap in gaps) >= 0.9 * len(gaps)
