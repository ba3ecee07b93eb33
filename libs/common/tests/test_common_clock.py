"""Clock: it never runs backwards, keeps its time when its speed changes, and is the same in all processes."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spreader.clock import SPEED_MAX, Clock, clock_from_environment, wall_now

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

speeds = st.sampled_from([0.5, 1.0, 1.5, 60.0, 600.0, SPEED_MAX])
moments = st.integers(-10_000, 10_000).map(lambda seconds: NOON + timedelta(seconds=seconds))
durations = st.integers(0, 86_400_000).map(lambda milliseconds: timedelta(milliseconds=milliseconds))
clocks = st.builds(Clock, speeds, moments, moments)


@given(clocks, moments, durations)
def test_it_never_runs_backwards(clock: Clock, wall: datetime, later: timedelta) -> None:
    assert clock.at(wall + later) >= clock.at(wall)


@given(clocks, moments, st.integers(0, 10_000))
def test_a_wall_second_is_speed_system_seconds(clock: Clock, wall: datetime, seconds: int) -> None:
    assert clock.at(wall + timedelta(seconds=seconds)) - clock.at(wall) == timedelta(seconds=seconds * clock.speed)


@given(clocks, moments, speeds, durations)
def test_a_change_of_speed_continues_the_same_time(
    clock: Clock, wall: datetime, speed: float, later: timedelta
) -> None:
    changed = clock.anchored(wall, speed)
    assert changed.speed == speed
    assert changed.at(wall) == clock.at(wall)
    assert changed.at(wall + later) == clock.at(wall) + later * speed


@given(st.floats(1e-6, SPEED_MAX), moments, moments)
@example(12345.678, NOON, NOON)
def test_its_text_parses_to_the_same_clock(speed: float, wall: datetime, system: datetime) -> None:
    clock = Clock(speed, wall, system)
    assert Clock.parse(clock.text) == clock


def test_its_text_is_short() -> None:
    assert Clock(600.0, NOON, NOON).text == f"600@{NOON.isoformat()}={NOON.isoformat()}"


def test_a_speed_that_is_too_high_is_named_with_all_digits() -> None:
    with pytest.raises(ValueError, match=r"is 100000\.25; it must be .* at most 100000"):
        Clock(SPEED_MAX + 0.25)


@given(clocks, durations)
def test_the_wall_duration_lets_the_system_duration_pass(clock: Clock, duration: timedelta) -> None:
    # A wait is rounded to a microsecond of the wall's time, which is `speed` microseconds of the system's.
    assert abs(clock.system(clock.wall(duration)) - duration) <= timedelta(microseconds=max(clock.speed, 1))


def test_without_a_speed_it_is_wall_time() -> None:
    before = wall_now()
    assert before <= Clock()() <= wall_now()


def test_it_may_be_an_hour_in_a_minute() -> None:
    fast = Clock(60, NOON, NOON)
    assert fast.at(NOON + timedelta(minutes=1)) == NOON + timedelta(hours=1)
    assert fast.wall(timedelta(hours=1)) == timedelta(minutes=1)
    assert fast.system(timedelta(minutes=1)) == timedelta(hours=1)


@pytest.mark.parametrize("speed", [0, -1, SPEED_MAX * 2, float("nan")])
def test_an_invalid_speed_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="SPREADER_CLOCK_SPEED"):
        Clock(speed)


@pytest.mark.parametrize("text", ["", "600", "600@", "600@now=then", "fast@2026-01-01T00:00:00+00:00=2026-01-01"])
def test_an_invalid_clock_text_is_refused_with_the_format(text: str) -> None:
    with pytest.raises(ValueError, match=r"SPREADER_CLOCK is .* it must look like"):
        Clock.parse(text)


def test_a_clock_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        Clock.parse("600@2026-01-01T00:00:00=2026-01-01T00:00:00")


def test_a_process_uses_the_clock_of_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    given_clock = Clock(600, NOON, NOON)
    monkeypatch.setenv("SPREADER_CLOCK", given_clock.text)
    assert clock_from_environment() == given_clock


def test_a_process_without_one_uses_wall_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPREADER_CLOCK", raising=False)
    monkeypatch.setenv("SPREADER_CLOCK_SPEED", "1")
    assert clock_from_environment() == Clock()


def test_a_speed_alone_is_refused_because_processes_would_not_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPREADER_CLOCK", raising=False)
    monkeypatch.setenv("SPREADER_CLOCK_SPEED", "600")
    with pytest.raises(ValueError, match="would not agree"):
        clock_from_environment()
