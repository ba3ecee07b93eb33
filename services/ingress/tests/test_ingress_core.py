"""The ingress's pure rules: recipients, outbox order, sums, warnings, merges."""

from hypothesis import given
from hypothesis import strategies as st

from ingress.core.open_messages import RoutingSummary, split_recipients, sum_routing, without_repeats
from ingress.core.snapshot import merge_settings
from ingress.infra.outbox import without_superseded
from spreader.contract.events import MessageRouted, OpenMessageRequested, PackageConfigured
from spreader.kafka.envelope import Envelope

names = st.lists(st.sampled_from("abcdefg"), max_size=12)


@given(names)
def test_each_recipient_stays_once_where_it_was_first_named(recipients: list[str]) -> None:
    kept = without_repeats(recipients)
    assert sorted(kept) == sorted(set(recipients))
    assert [recipients.index(each) for each in kept] == sorted(recipients.index(each) for each in kept)


@given(names, st.integers(1, 5))
def test_chunks_put_together_are_the_whole(recipients: list[str], size: int) -> None:
    pieces = split_recipients(recipients, size)
    assert [each for _, piece in pieces for each in piece] == recipients
    assert [first for first, _ in pieces] == list(range(0, len(recipients), size))
    assert all(1 <= len(piece) <= size for _, piece in pieces)


def test_of_a_packages_snapshots_in_one_batch_only_the_newest_goes_out() -> None:
    def row(topic: str, key: str, body: str) -> Envelope:
        return Envelope(topic, key.encode(), body.encode(), {})

    config, message = PackageConfigured.topic, OpenMessageRequested.topic
    rows = [
        row(config, "a", "1"), row(message, "a", "2"), row(config, "b", "3"), row(message, "a", "4"),
        row(config, "a", "5"),
    ]  # fmt: skip
    assert [each.body for each in without_superseded(rows)] == [b"2", b"3", b"4", b"5"]


def test_the_distribution_is_the_sum_over_the_records_with_each_reason_once() -> None:
    def routed(first_index: int, distribution: dict[str, int], rejected: int = 0) -> MessageRouted:
        return MessageRouted(
            callback_partition=0, message_id="m", first_index=first_index, distribution=distribution,
            rejected=rejected, reason="no profile" if rejected else None,
        )  # fmt: skip

    answers = [routed(0, {"a": 250, "b": 250}), routed(500, {"b": 3}, 2), routed(1000, {}, 5)]
    assert sum_routing(answers) == RoutingSummary({"a": 250, "b": 253}, 7, 0, ("no profile",))


def test_a_merge_goes_into_objects_and_replaces_everything_else() -> None:
    known = {"name": "a", "gap": {"min": 1, "max": 2}, "rest": {"hours": 4}}
    patch = {"gap": {"max": None}, "rest": None, "tags": [1]}
    assert merge_settings(known, patch) == {"name": "a", "gap": {"min": 1, "max": None}, "rest": None, "tags": [1]}
    assert known["gap"] == {"min": 1, "max": 2}
