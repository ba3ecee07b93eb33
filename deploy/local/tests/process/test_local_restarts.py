"""A program that dies is restarted: quickly after a stable run, with growing delays after repeated failures."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from local.process.supervisor import RESTART_DELAY_FIRST, RESTART_DELAY_MAX, STABLE_AFTER, Restarts

SHORT = timedelta(seconds=1)


def _delays(lives: list[timedelta]) -> list[float]:
    restarts, delays = Restarts(), list[float]()
    for lived in lives:
        restarts, delay = restarts.died(lived)
        delays.append(delay.total_seconds())
    return delays


def test_the_delay_doubles_after_each_failure_up_to_a_limit() -> None:
    assert _delays([SHORT] * 8) == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]


def test_a_stable_run_resets_the_delay() -> None:
    assert _delays([SHORT, SHORT, STABLE_AFTER, SHORT]) == [0.2, 0.4, 0.2, 0.4]


@given(st.lists(st.timedeltas(min_value=timedelta(0), max_value=timedelta(minutes=1)), min_size=1, max_size=40))
def test_every_delay_is_within_the_limits(lives: list[timedelta]) -> None:
    delays = _delays(lives)
    assert min(delays) >= RESTART_DELAY_FIRST.total_seconds()
    assert max(delays) <= RESTART_DELAY_MAX.total_seconds()
