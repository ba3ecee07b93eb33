"""Ids: derived ones never change, new ones sort by time, and all of them are valid chosen ids."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spreader.contract.ids import (
    CHOSEN_ID_PATTERN,
    RECIPIENT_PATTERN,
    conversation_id,
    delivery_id,
    is_conversation_id,
    new_id,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FLOORED = 1_001
"""Milliseconds that as seconds are a float a little less: rounded down they are the one before."""
names = st.text(alphabet="ab_-1", min_size=1, max_size=4)


def test_derived_ids_never_change() -> None:
    assert delivery_id("msg_1", "201001234567") == "dlv_mdjsqiniq45k71nlgephsuuhms"
    assert conversation_id("pkg_shop", "201001234567") == "conv_2m64pfiar92t5slf111dfjhstk"


@given(names, names, names, names)
def test_two_deliveries_share_an_id_only_if_message_and_recipient_are_the_same(a: str, b: str, c: str, d: str) -> None:
    assert (delivery_id(a, b) == delivery_id(c, d)) == ((a, b) == (c, d))


@given(names, names)
def test_kinds_of_id_never_meet(a: str, b: str) -> None:
    assert delivery_id(a, b) != conversation_id(a, b)


@given(st.integers(0, 2**40), st.integers(1, 2**30))
@example(FLOORED - 1, 1)
@example(FLOORED, 1)
def test_a_later_id_sorts_after_an_earlier_one(milliseconds: int, later: int) -> None:
    start = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    assert new_id("msg", start) < new_id("msg", start + timedelta(milliseconds=later))


def test_ids_made_in_the_same_instant_differ() -> None:
    assert len({new_id("msg", NOON) for _ in range(1000)}) == 1000


@pytest.mark.parametrize(
    "made",
    [new_id("pkg", NOON), delivery_id("m", "r"), conversation_id("p", "r")],
    ids=["package", "delivery", "conversation"],
)
def test_every_generated_id_is_a_valid_chosen_id(made: str) -> None:
    assert re.fullmatch(CHOSEN_ID_PATTERN, made)
    assert len(made.partition("_")[2]) == 26


@pytest.mark.parametrize(
    "theirs", ["conv_xyz789", "CONV_" + "a" * 26, "conv_" + "w" * 26, "conv_" + "a" * 27, "order 7"]
)
def test_a_callers_name_for_a_conversation_is_distinguished_from_ours(theirs: str) -> None:
    assert is_conversation_id(conversation_id("pkg_shop", "201001234567"))
    assert not is_conversation_id(theirs)


@pytest.mark.parametrize(
    ("number", "accepted"),
    [
        ("201001234567", True),
        ("1234567", True),
        ("123456789012345", True),
        ("123456", False),
        ("1234567890123456", False),
        ("+201001234567", False),
        ("20100 1234567", False),
        ("٢٠١٠٠١٢٣٤٥٦٧", False),
        ("", False),
    ],
)
def test_a_recipient_is_7_to_15_digits(number: str, accepted: bool) -> None:
    assert bool(re.search(RECIPIENT_PATTERN, number)) is accepted
