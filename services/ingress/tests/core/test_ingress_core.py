"""Core rules: recipients are unique and split into records, routing results are summed, settings are merged."""

from hypothesis import given
from hypothesis import strategies as st

from ingress.core.open_messages import RoutingSummary, RoutingTally, without_repeats
from ingress.core.recipient_parts import PART_MAX, RecipientParts
from ingress.core.snapshot import merge_settings
from spreader.contract.events import MessageRouted

names = st.lists(st.sampled_from("abcdefg"), max_size=12)


@given(names)
def test_each_recipient_appears_once_at_its_first_position(recipients: list[str]) -> None:
    kept = without_repeats(recipients)
    assert sorted(kept) == sorted(set(recipients))
    assert [recipients.index(each) for each in kept] == sorted(recipients.index(each) for each in kept)


@given(st.lists(st.integers(2010000, 2010400), max_size=1_500))
def test_the_parts_joined_are_all_recipients_once(numbers: list[int]) -> None:
    recipients = RecipientParts.of([str(number) for number in numbers])
    parts = list(recipients)
    assert [each for part in parts for each in part] == list(without_repeats([str(number) for number in numbers]))
    assert recipients.count + recipients.repeats == len(numbers)
    assert len(recipients) == len(parts)
    assert all(1 <= len(part) <= PART_MAX for part in parts)


def test_a_sample_is_evenly_spread() -> None:
    sample = RecipientParts.of([str(number) for number in range(1_000)]).sample
    assert (len(sample), sample[:2], sample[-1]) == (200, ("0", "5"), "995")
    assert RecipientParts.of(["201001234567"]).sample == ("201001234567",)


def test_routing_results_are_summed_over_the_records_with_each_reason_once() -> None:
    def routed(first_index: int, distribution: dict[str, int], rejected: int = 0) -> MessageRouted:
        return MessageRouted(
            callback_partition=0, message_id="m", first_index=first_index, distribution=distribution,
            rejected=rejected, reason="no profile" if rejected else None,
        )  # fmt: skip

    answers = [routed(0, {"a": 250, "b": 250}), routed(500, {"b": 3}, 2), routed(1000, {}, 5)]
    tally = RoutingTally()
    for answer in answers:
        tally.add(answer)
    assert tally.summary == RoutingSummary({"a": 250, "b": 253}, 7, 0, ("no profile",))


def test_a_merge_descends_into_objects_and_replaces_other_values() -> None:
    known = {"name": "a", "gap": {"min": 1, "max": 2}, "rest": {"hours": 4}}
    patch = {"gap": {"max": None}, "rest": None, "tags": [1]}
    assert merge_settings(known, patch) == {"name": "a", "gap": {"min": 1, "max": None}, "rest": None, "tags": [1]}
    assert known["gap"] == {"min": 1, "max": 2}
