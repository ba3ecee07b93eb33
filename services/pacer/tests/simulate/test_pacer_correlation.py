"""Correlation: the measures of the simulated year on gaps whose likeness is known."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest
from simulate.correlation import autocorrelation, paced_autocorrelation
from simulate.gaps import CALM, Gap

MANY = 6_000


def made(draws: Iterable[tuple[float, float]], length: int = 10_000, is_paced: bool = True) -> list[Gap]:
    """Gaps of (mean, draw); after each `length` of them one is left out, so that a stretch ends."""
    return [
        Gap(place + place // length, mean * draw, CALM, mean, 1.0, 1.0, mean, is_paced, 1.0)
        for place, (mean, draw) in enumerate(draws)
    ]


def uniform(count: int = MANY) -> list[float]:
    rng = Random(4)
    return [rng.uniform(0.6, 1.4) for _ in range(count)]


def test_draws_of_chance_show_none() -> None:
    found = made([(300.0, draw) for draw in uniform()])
    assert autocorrelation(found) == paced_autocorrelation(found) == pytest.approx(0, abs=0.03)


def test_draws_that_follow_from_the_last_one_show() -> None:
    chance = uniform()
    found = made([(300.0, (one + other) / 2) for one, other in pairwise(chance)])
    assert autocorrelation(found) == paced_autocorrelation(found) == pytest.approx(0.5, abs=0.03)


def test_draws_that_answer_the_last_one_show() -> None:
    """Long after short and short after long: as predictable as the opposite."""
    found = made([(300.0, 2 - draw if turn else draw) for draw in uniform(MANY // 2) for turn in (False, True)])
    assert autocorrelation(found) == paced_autocorrelation(found) == pytest.approx(-0.5, abs=0.03)


def test_a_mean_that_climbs_shows() -> None:
    """Nine gaps from 190 s to 450 s, over and over: what a tempo of 0.64 to 1.5 makes of the end of a rush."""
    found = made([(190 * (450 / 190) ** (place % 9 / 8), draw) for place, draw in enumerate(uniform())], 9)
    assert paced_autocorrelation(found) == autocorrelation(found) > 0.3


def test_only_gaps_that_follow_each_other_at_once_are_paired() -> None:
    """Pairs of equal gaps, with one left out between any two pairs: whatever follows at once is the same."""
    found = made([(300.0, draw) for draw in uniform(MANY // 2) for _ in range(2)], 2)
    assert autocorrelation(found) == pytest.approx(1, abs=0.03)


def test_waits_for_a_limit_are_no_gaps_and_where_they_are_many_nothing_is_said() -> None:
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
