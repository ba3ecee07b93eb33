"""Circuit breaker: when a host may be called again after calls that it did not answer."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from sender.core.circuit_breaker import BreakerPolicy, CircuitBreaker

QUICK = BreakerPolicy(
    failures_max=3,
    first_pause=timedelta(seconds=2),
    longest_pause=timedelta(seconds=10),
    probe_max=timedelta(seconds=15),
)
CALLED = ("answered", "silent")


def down(failures: int, now: float = 0.0) -> CircuitBreaker:
    breaker = CircuitBreaker(QUICK)
    for _ in range(failures):
        breaker = breaker.on_silence(now, probe=False)
    return breaker


def test_it_opens_at_the_third_silence_in_a_row() -> None:
    assert [down(failures).pause_left(0.0).total_seconds() for failures in range(5)] == [0, 0, 0, 2, 2]


def test_an_answer_in_between_resets_the_count() -> None:
    assert not down(2).on_answer().on_silence(0.0, probe=False).on_silence(0.0, probe=False).is_open


def test_after_the_pause_one_call_may_probe_and_the_others_wait_for_its_end() -> None:
    waiting = down(3)
    assert waiting.pause_left(1.9) > timedelta(0)
    assert waiting.pause_left(2.0) == timedelta(0)
    probing = waiting.on_call(2.0)
    assert probing.pause_left(2.0) == QUICK.probe_max
    assert probing.on_answer().pause_left(2.1) == timedelta(0)


def test_a_probe_without_an_answer_doubles_the_pause_up_to_its_bound() -> None:
    breaker, now, pauses = down(3), 0.0, list[float]()
    for _ in range(5):
        pauses.append(breaker.pause_left(now).total_seconds())
        now += pauses[-1]
        breaker = breaker.on_call(now).on_silence(now, probe=True)
    assert pauses == [2, 4, 8, 10, 10]


def test_after_a_lost_probe_another_one_may_go() -> None:
    probing = down(3).on_call(2.0)
    assert probing.pause_left(2.0 + QUICK.probe_max.total_seconds()) == timedelta(0)


def test_calls_in_flight_when_it_opened_do_not_lengthen_the_pause() -> None:
    breaker = down(3)
    for _ in range(200):
        breaker = breaker.on_silence(1.0, probe=False)
    assert breaker == down(3)


@given(st.lists(st.tuples(st.sampled_from(CALLED), st.floats(0, 100), st.booleans()), max_size=30))
def test_a_call_may_always_go_within_the_longest_wait(story: list[tuple[str, float, bool]]) -> None:
    breaker, now = CircuitBreaker(QUICK), 0.0
    for what, later, probe in story:
        now += later
        breaker = breaker.on_call(now) if not breaker.pause_left(now) else breaker
        breaker = breaker.on_answer() if what == "answered" else breaker.on_silence(now, probe)
        assert breaker.pause_left(now) <= max(QUICK.longest_pause, QUICK.probe_max)
        assert what != "answered" or not breaker.is_open
