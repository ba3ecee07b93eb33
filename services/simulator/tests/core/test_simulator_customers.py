"""Reactions of customers, drawn from a seed."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.core.customers import ANSWERS, CustomerHabits, Reaction, SimulatedAnswer, SimulatedReceipt, reactions

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

shares = st.sampled_from([0.0, 0.3, 0.5, 1.0])
habits = st.builds(
    CustomerHabits,
    seed=st.integers(0, 5),
    delivered_share=shares,
    failed_share=shares,
    read_share=shares,
    reply_share=shares,
)
deliveries = st.integers(0, 20).map(lambda number: f"dlv_{number}")


def said(found: tuple[Reaction, ...]) -> list[str]:
    return [each.status if isinstance(each, SimulatedReceipt) else "answer" for each in found]


@pytest.mark.parametrize(
    ("habits", "expected"),
    [
        (CustomerHabits(), {"delivered", "delivered read"}),
        (CustomerHabits(read_share=0), {"delivered"}),
        (CustomerHabits(read_share=1), {"delivered read"}),
        (CustomerHabits(reply_share=1, read_share=0), {"delivered read answer"}),
        (CustomerHabits(reply_share=0.5, read_share=1), {"delivered read", "delivered read answer"}),
        (CustomerHabits(delivered_share=0), {""}),
        (CustomerHabits(delivered_share=0, failed_share=1, reply_share=1), {"failed"}),
        (CustomerHabits(delivered_share=0.5, read_share=0), {"delivered", ""}),
        (CustomerHabits(delivered_share=0.5, failed_share=0.5, read_share=0), {"delivered", "failed"}),
    ],
)
def test_habits_decide_which_reactions_are_possible(habits: CustomerHabits, expected: set[str]) -> None:
    assert {
        " ".join(said(reactions(habits, f"dlv_{number}", "201001234567", NOON))) for number in range(50)
    } == expected


@given(habits, deliveries)
def test_reactions_come_in_order_and_in_their_spans(habits: CustomerHabits, delivery_id: str) -> None:
    spans = {"delivered": (1, 3), "failed": (1, 3), "read": (5, 60), "answer": (10, 300)}
    before = NOON
    found = reactions(habits, delivery_id, "201001234567", NOON)
    for each, name in zip(found, said(found), strict=True):
        least, most = spans[name]
        assert timedelta(seconds=least) <= each.at - before <= timedelta(seconds=most)
        before = each.at


@given(habits, deliveries)
def test_equal_sends_get_equal_reactions(habits: CustomerHabits, delivery_id: str) -> None:
    first, again = (reactions(habits, delivery_id, "201001234567", NOON) for _ in range(2))
    assert first == again


def test_another_seed_gives_other_reactions() -> None:
    one, two = ([said(reactions(CustomerHabits(seed), f"dlv_{n}", "2010", NOON)) for n in range(50)] for seed in (1, 2))
    assert one != two


def test_shares_are_kept_over_many_customers() -> None:
    habits = CustomerHabits(read_share=0.6, reply_share=0.3)
    found = [said(reactions(habits, f"dlv_{number}", "2010", NOON)) for number in range(2000)]
    assert sum("read" in each for each in found) / 2000 == pytest.approx(0.6, abs=0.03)
    assert sum("answer" in each for each in found) / 2000 == pytest.approx(0.3, abs=0.03)


def test_answers_are_of_many_kinds() -> None:
    habits = CustomerHabits(reply_share=1)
    found = [reactions(habits, f"dlv_{number}", "2010", NOON)[-1] for number in range(100)]
    assert {each.text for each in found if isinstance(each, SimulatedAnswer)} == set(ANSWERS)
