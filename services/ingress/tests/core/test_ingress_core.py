"""Core rules: recipients are unique and split into records, routing results are summed, settings are merged."""

from hypothesis import given
from hypothesis import strategies as st

from ingress.core.open_messages import RoutingSummary, split_recipients, sum_routing, without_repeats
from ingress.core.snapshot import merge_settings
from spreader.contract.events import MessageRouted

names = st.lists(st.sampled_from("abcdefg"), max_size=12)


@given(names)
def test_each_recipient_appears_once_at_its_first_position(recipients: list[str]) -> None:
    kept = without_repeats(recipients)
    assert sorted(kept) == sorted(set(recipients))
    assert [recipients.index(each) for each in kept] == sorted(recipients.index(each) for each in kept)


@given(names, st.integers(1, 5))
def test_the_pieces_joined_are_all_recipients(recipients: list[str], size: int) -> None:
    pieces = split_recipients(recipients, size)
    assert [each for _, piece in pieces for each in piece] == recipients
    assert [first for first, _ in pieces] == list(range(0, len(recipients), size))
    assert all(1 <= len(piece) <= size for _, piece in pieces)


def test_routing_results_are_summed_over_the_records_with_each_reason_once() -> None:
    def routed(first_index: int, distribution: dict[str, int], rejected: int = 0) -> MessageRouted:
        return MessageRouted(
            callback_partition=0, message_id="m", first_index=first_index, distribution=distribution,
            rejected=rejected, reason="no profile" if rejected else None,
        )  # fmt: skip

    answers = [routed(0, {"a": 250, "b": 250}), routed(500, {"b": 3}, 2), routed(1000, {}, 5)]
    assert sum_routing(answers) == RoutingSummary({"a": 250, "b": 253}, 7, 0, ("no profile",))


def test_a_merge_descends_into_objects_and_replaces_other_values() -> None:
    known = {"name": "a", "gap": {"min": 1, "max": 2}, "rest": {"hours": 4}}
    patch = {"gap": {"max": None}, "rest": None, "tags": [1]}
    assert merge_settings(known, patch) == {"name": "a", "gap": {"min": 1, "max": None}, "rest": None, "tags": [1]}
    assert known["gap"] == {"min": 1, "max": 2}
