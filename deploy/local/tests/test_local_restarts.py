"""A program that dies is started again: at once where it ran well, later and later where it does not."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from local.restarts import DELAY_FIRST, DELAY_MAX, STEADY, Restarts

SHORT = timedelta(seconds=1)


def _delays(lives: list[timedelta]) -> list[float]:
    restarts, delays = Restarts(), list[float]()
    for lived in lives:
        restarts, delay = restarts.died(lived)
        delays.append(delay.total_seconds())
    return delays


def test_one_that_cannot_stand_waits_twice_as_long_each_time_up_to_a_limit() -> None:
    assert _delays([SHORT] * 8) == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]


def test_one_that_ran_steadily_begins_from_the_front() -> None:
    assert _delays([SHORT, SHORT, STEADY, SHORT]) == [0.2, 0.4, 0.2, 0.4]


@given(st.lists(st.timedeltas(min_value=timedelta(0), max_value=timedelta(minutes=1)), min_size=1, max_size=40))
def test_it_always_starts_again_within_the_limit(lives: list[timedelta]) -> None:
    delays = _delays(lives)
    assert min(delays) >= DELAY_FIRST.total_seconds()
    assert max(delays) <= DELAY_MAX.total_seconds()
