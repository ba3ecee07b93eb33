"""Correlation: the measures of the simulation, on gaps with a known correlation."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest
from simulate.correlation import autocorrelation, paced_autocorrelation
from simulate.gaps import CALM, Gap

MANY = 6_000


def made(draws: Iterable[tuple[float, float]], length: int = 10_000, is_paced: bool = True) -> list[Gap]:
    """Gaps of (mean, draw); after each `length` gaps one is left out."""
    return [
        Gap(place + place // length, mean * draw, CALM, mean, 1.0, 1.0, mean, is_paced, 1.0)
        for place, (mean, draw) in enumerate(draws)
    ]


def uniform(count: int = MANY) -> list[float]:
    rng = Random(4)
    return [rng.uniform(0.6, 1.4) for _ in range(count)]


def test_independent_draws_have_no_autocorrelation() -> None:
    found = made([(300.0, draw) for draw in uniform()])
    assert autocorrelation(found) == paced_autocorrelation(found) == pytest.approx(0, abs=0.03)


def test_draws_that_follow_the_last_one_are_correlated() -> None:
    chance = uniform()
    found = made([(300.0, (one + other) / 2) for one, other in pairwise(chance)])
    assert autocorrelation(found) == paced_autocorrelation(found) == pytest.approx(0.5, abs=0.03)


def test_alternating_draws_are_negatively_correlated() -> None:
    """Long after short and short after long is as predictable as the opposite."""
    found = made([(300.0, 2 - draw if turn else draw) for draw in uniform(MANY // 2) for turn in (False, True)])
    assert autocorrelation(found) == paced_autocorrelation(found) == pytest.approx(-0.5, abs=0.03)


def test_a_climbing_mean_is_correlated() -> None:
    """Nine gaps from 190 s to 450 s, repeated: the effect of a tempo of 0.64 to 1.5 at the end of a rush."""
    found = made([(190 * (450 / 190) ** (place % 9 / 8), draw) for place, draw in enumerate(uniform())], 9)
    assert paced_autocorrelation(found) == autocorrelation(found) > 0.3


def test_only_adjacent_gaps_are_compared() -> None:
    """Pairs of equal gaps, with a gap left out between pairs: adjacent gaps are equal."""
    found = made([(300.0, draw) for draw in uniform(MANY // 2) for _ in range(2)], 2)
    assert autocorrelation(found) == pytest.approx(1, abs=0.03)


def test_waits_for_limits_are_left_out_and_many_of_them_prevent_a_judgement() -> None:
    """Runs of ten long ones, in three hundred gaps and in thirty."""

    def waits_in(gaps: int) -> list[Gap]:
        return [
            replace(gap, seconds=1_000.0, is_paced=False) if gap.place % gaps < 10 else gap
            for gap in made([(300.0, draw) for draw in uniform()])
        ]

    assert paced_autocorrelation(waits_in(300)) == pytest.approx(0, abs=0.03)
    assert autocorrelation(waits_in(300)) > 0.5
    assert paced_autocorrelation(waits_in(30)) is None
    assert autocorrelation(waits_in(30)) > 0.5
