"""Breaker and slots: a host that is down is let alone, and one that is slow cannot take all there is."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from sender.core.circuit_breaker import Breaker, Patience
from sender.core.concurrency import Slots

QUICK = Patience(failures_max=3, first=timedelta(seconds=2), longest=timedelta(seconds=10), probe=timedelta(seconds=15))
CALLED, HOSTS = ("answered", "silent"), ("a", "b", "c")


def down(failures: int, now: float = 0.0) -> Breaker:
    breaker = Breaker(QUICK)
    for _ in range(failures):
        breaker = breaker.silent(now, probe=False)
    return breaker


def test_it_opens_at_the_third_silence_in_a_row_and_not_before() -> None:
    assert [down(failures).remaining(0.0).total_seconds() for failures in range(5)] == [0, 0, 0, 2, 2]


def test_an_answer_in_between_counts_from_the_beginning() -> None:
    assert not down(2).answered().silent(0.0, probe=False).silent(0.0, probe=False).is_open


def test_after_the_pause_one_call_may_probe_and_the_others_wait_for_its_end() -> None:
    waiting = down(3)
    assert waiting.remaining(1.9) > timedelta(0)
    assert waiting.remaining(2.0) == timedelta(0)
    probing = waiting.called(2.0)
    assert probing.remaining(2.0) == QUICK.probe
    assert probing.answered().remaining(2.1) == timedelta(0)


def test_a_probe_without_an_answer_doubles_the_pause_up_to_its_bound() -> None:
    breaker, now, pauses = down(3), 0.0, list[float]()
    for _ in range(5):
        pauses.append(breaker.remaining(now).total_seconds())
        now += pauses[-1]
        breaker = breaker.called(now).silent(now, probe=True)
    assert pauses == [2, 4, 8, 10, 10]


def test_a_probe_that_was_lost_lets_another_go() -> None:
    probing = down(3).called(2.0)
    assert probing.remaining(2.0 + QUICK.probe.total_seconds()) == timedelta(0)


def test_what_was_under_way_when_it_opened_does_not_make_the_pause_longer() -> None:
    breaker = down(3)
    for _ in range(200):
        breaker = breaker.silent(1.0, probe=False)
    assert breaker == down(3)


@given(st.lists(st.tuples(st.sampled_from(CALLED), st.floats(0, 100), st.booleans()), max_size=30))
def test_it_is_always_open_again_to_a_call_within_the_longest_wait(story: list[tuple[str, float, bool]]) -> None:
    breaker, now = Breaker(QUICK), 0.0
    for what, later, probe in story:
        now += later
        breaker = breaker.called(now) if not breaker.remaining(now) else breaker
        breaker = breaker.answered() if what == "answered" else breaker.silent(now, probe)
        assert breaker.remaining(now) <= max(QUICK.longest, QUICK.probe)
        assert what != "answered" or not breaker.is_open


def taken_by(slots: Slots, host: str) -> int:
    """As many as the host may have, taken one claim after another."""
    count = 0
    while True:
        room = slots.room()
        more = min(room.free, room.hosts.get(host, room.other or 0))
        if more <= 0:
            return count
        for _ in range(more):
            slots.take(host)
        count += more


def test_slow_hosts_get_shares_and_never_all() -> None:
    slots = Slots(100)
    assert taken_by(slots, "slow") == 80
    assert taken_by(slots, "slow too") == 16
    assert taken_by(slots, "quick") == 3
    assert slots.room().free == 1


def test_what_was_given_back_can_be_taken() -> None:
    slots = Slots(10)
    taken_by(slots, "a")
    for _ in range(8):
        slots.give_back("a")
    assert slots.room() == Slots(10).room()


@given(st.integers(1, 12), st.lists(st.tuples(st.sampled_from(HOSTS), st.booleans()), max_size=60))
def test_no_more_are_taken_than_there_are_and_whoever_has_none_gets_one_while_one_is_free(
    limit: int, story: list[tuple[str, bool]]
) -> None:
    slots, taken = Slots(limit), dict.fromkeys(HOSTS, 0)
    for host, takes in story:
        room = slots.room()
        assert room.free == limit - sum(taken.values())
        may = min(room.free, room.hosts.get(host, room.other or 0))
        assert taken[host] or not room.free or may >= 1
        if takes and may > 0:
            slots.take(host)
            taken[host] += 1
        elif not takes and taken[host]:
            slots.give_back(host)
            taken[host] -= 1
