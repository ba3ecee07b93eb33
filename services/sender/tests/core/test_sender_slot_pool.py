"""Slot pool: one slow host never takes all slots, and a host without calls always finds one."""

from hypothesis import given
from hypothesis import strategies as st

from sender.core.slot_pool import SlotPool

HOSTS: tuple[str, ...] = ("a", "b", "c")


def taken_by(slots: SlotPool, host: str) -> int:
    """Takes as many slots as the host may have, claim by claim; returns how many."""
    count = 0
    while True:
        free = slots.free()
        more = min(free.total, free.by_host.get(host, free.other_host or 0))
        if more <= 0:
            return count
        for _ in range(more):
            slots.take(host)
        count += more


def test_slow_hosts_get_a_share_and_never_all_slots() -> None:
    slots = SlotPool(100)
    assert taken_by(slots, "slow") == 80
    assert taken_by(slots, "slow too") == 16
    assert taken_by(slots, "quick") == 3
    assert slots.free().total == 1


def test_slots_that_were_given_back_are_free_again() -> None:
    slots = SlotPool(10)
    taken_by(slots, "a")
    for _ in range(8):
        slots.give_back("a")
    assert slots.free() == SlotPool(10).free()


@given(st.integers(1, 12), st.lists(st.tuples(st.sampled_from(HOSTS), st.booleans()), max_size=60))
def test_the_limit_holds_and_a_host_without_slots_gets_one_while_one_is_free(
    limit: int, story: list[tuple[str, bool]]
) -> None:
    slots, taken = SlotPool(limit), dict.fromkeys(HOSTS, 0)
    for host, takes in story:
        free = slots.free()
        assert free.total == limit - sum(taken.values())
        may = min(free.total, free.by_host.get(host, free.other_host or 0))
        assert taken[host] or not free.total or may >= 1
        if takes and may > 0:
            slots.take(host)
            taken[host] += 1
        elif not takes and taken[host]:
            slots.give_back(host)
            taken[host] -= 1
