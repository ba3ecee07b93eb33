"""Correlation: the measures of the simulated year on gaps whose likeness is known."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest
from simulate.correlation import of_all, of_draws, of_gaps, of_stretches, stretches
from simulate.gaps import CALM, Gap

MANY = 6_000
FEW = 100


def made(draws: Iterable[tuple[float, float]], length: int = 10_000, is_paced: bool = True) -> list[Gap]:
    """Gaps of (mean, draw); after each `length` of them one is left out, so that a stretch ends."""
    return [
        Gap(place + place // length, mean * draw, CALM, mean, 1.0, 1.0, mean, is_paced, 1.0)
        for place, (mean, draw) in enumerate(draws)
    ]


def uniform(count: int = MANY) -> list[float]:
    rng = Random(4)
    return [rng.uniform(0.6, 1.4) for _ in range(count)]


@pytest.mark.parametrize("length", [3, 9, 10_000])
def test_draws_of_chance_show_none_however_short_their_stretches_are(length: int) -> None:
    found = made([(300.0, draw) for draw in uniform()], length)
    shown = (of_all(found), of_stretches(found, FEW), of_draws(found))
    assert shown == pytest.approx((0, 0, 0), abs=0.03)


def test_draws_that_follow_from_the_last_one_show_in_every_measure() -> None:
    chance = uniform()
    found = made([(300.0, (one + other) / 2) for one, other in pairwise(chance)])
    shown = (of_all(found), of_stretches(found, FEW), of_draws(found))
    assert shown == pytest.approx((0.5, 0.5, 0.5), abs=0.03)


def test_draws_that_answer_the_last_one_show_in_every_measure() -> None:
    """Long after short and short after long: as predictable as the opposite."""
    found = made([(300.0, 2 - draw if turn else draw) for draw in uniform(MANY // 2) for turn in (False, True)])
    shown = (of_all(found), of_stretches(found, FEW), of_draws(found))
    assert shown == pytest.approx((-0.5, -0.5, -0.5), abs=0.03)


def test_a_mean_that_climbs_shows_in_the_gaps_and_neither_in_the_draws_nor_while_it_stands() -> None:
    """Nine gaps from 190 s to 450 s, over and over: what a tempo of 0.64 to 1.5 makes of the end of a rush."""
    found = made([(190 * (450 / 190) ** (place % 9 / 8), draw) for place, draw in enumerate(uniform())], 9)
    assert of_all(found) > 0.3
    assert of_draws(found) == pytest.approx(0, abs=0.03)
    assert of_stretches(found, FEW) == pytest.approx(0, abs=0.1)


def test_waits_for_a_limit_are_no_gaps_and_where_they_are_many_nothing_is_said() -> None:
    """Runs of ten long ones, in three hundred gaps and in thirty."""

    def waits_in(gaps: int) -> list[Gap]:
        return [
            replace(gap, seconds=1_000.0, is_paced=False) if gap.place % gaps < 10 else gap
            for gap in made([(300.0, draw) for draw in uniform()])
        ]

    assert of_gaps(waits_in(300)) == pytest.approx(0, abs=0.03)
    assert of_all(waits_in(300)) > 0.5
    assert of_gaps(waits_in(30)) is None
    assert of_all(waits_in(30)) > 0.5


def test_a_stretch_ends_where_the_mean_moves_a_release_is_missing_or_a_limit_holds() -> None:
    climbing = made([(mean, 1.0) for mean in (100, 120, 126, 130, 100)])
    assert [len(each) for each in stretches(climbing)] == [2, 2, 1]
    assert [len(each) for each in stretches(made([(100, 1.0)] * 7, 3))] == [3, 3, 1]
    limited = made([(100, 1.0)] * 2) + made([(100, 1.0)] * 4, is_paced=False)[2:]
    assert [len(each) for each in stretches(limited)] == [2, 2]


def test_nothing_is_said_of_too_few_and_of_draws_that_limits_hold() -> None:
    assert of_stretches(made([(300.0, draw) for draw in uniform(FEW)]), FEW) is None
    assert of_draws(made([(300.0, draw) for draw in uniform(FEW)], is_paced=False)) is None
