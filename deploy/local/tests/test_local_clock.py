"""The clock of a home continues after restarts and changes of speed, and never runs backwards."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.home import LocalHome, continued_clock
from local.unavailable import Unavailable
from spreader.clock import Clock

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
pauses = st.timedeltas(min_value=timedelta(0), max_value=timedelta(hours=3))
speeds = st.sampled_from([0.5, 1.0, 2.0, 600.0])


def test_a_new_system_starts_at_wall_time_at_any_speed() -> None:
    assert continued_clock(None, NOON, 600).at(NOON) == NOON
    assert continued_clock(None, NOON, 600).at(NOON + timedelta(minutes=1)) == NOON + timedelta(hours=10)


@given(st.lists(st.tuples(pauses, speeds), min_size=2, max_size=6))
def test_restarts_and_changes_of_speed_never_set_the_time_back(starts: list[tuple[timedelta, float]]) -> None:
    wall, clock, last = NOON, None, NOON
    for pause, speed in starts:
        wall += pause
        clock = continued_clock(clock, wall, speed)
        assert clock.speed == speed
        assert clock.at(wall) >= last
        last = clock.at(wall)


def test_the_second_start_continues_from_the_time_of_the_first(tmp_path: Path) -> None:
    fast = LocalHome(tmp_path).clock(NOON, 600)
    later = NOON + timedelta(minutes=2)
    slow = LocalHome(tmp_path).clock(later, 1)
    assert slow.at(later) == fast.at(later) == NOON + timedelta(hours=20)
    assert slow.at(later + timedelta(hours=1)) == NOON + timedelta(hours=21)
    assert LocalHome(tmp_path).clock(later, 1) == slow


def test_a_given_clock_is_used_unless_it_would_set_the_time_back(tmp_path: Path) -> None:
    given_clock = Clock(600, NOON, NOON + timedelta(days=1))
    assert LocalHome(tmp_path).clock(NOON, 1, given_clock.text) == given_clock
    with pytest.raises(Unavailable, match="time cannot run backwards"):
        LocalHome(tmp_path).clock(NOON, 1, Clock(1, NOON, NOON).text)
