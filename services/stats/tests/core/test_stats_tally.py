"""Tally: what each outcome counts, and the law that order and repetition do not matter."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spreader.contract.events import CustomerMessage, DeliveryOutcome, Lane, Status
from stats.core.sums import MinuteBucket, Sums
from stats.core.tally import (
    CountedDelivery,
    Marks,
    Tally,
    count_contacts,
    count_customer_messages,
    count_outcomes,
    refusals,
)

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ACKNOWLEDGED = Marks.SENT | Marks.ACKNOWLEDGED


def outcome(
    status: Status, minute: int = 0, delivery: str = "dlv_1", lane: Lane = "open", profile: str | None = "sales"
) -> DeliveryOutcome:
    return DeliveryOutcome(
        package_id="shop", message_id="msg_1", delivery_id=delivery, recipient="201001234567", lane=lane,
        status=status, at=NOON + timedelta(minutes=minute, seconds=17), profile_id=profile,
    )  # fmt: skip


def total(tally: Tally) -> Sums:
    """The sums without `arrived`, which counts in the minute of the send."""
    return replace(sum(tally.added.values(), Sums()), arrived=0)


@pytest.mark.parametrize(
    ("statuses", "sums"),
    [
        (["sent"], Sums(sent=1)),
        (["sent", "sent"], Sums(sent=1)),
        (["acknowledged"], Sums(sent=1, acknowledged=1)),
        (["delivered"], Sums(sent=1, acknowledged=1, delivered=1)),
        (["read"], Sums(sent=1, acknowledged=1, delivered=1, read=1)),
        (["sent", "delivered", "read"], Sums(sent=1, acknowledged=1, delivered=1, read=1)),
        (["read", "delivered", "sent"], Sums(sent=1, acknowledged=1, delivered=1, read=1)),
        (["unknown"], Sums()),
        (["unknown", "sent"], Sums(sent=1)),
        (["failed"], Sums(failed=1)),
        (["failed", "failed"], Sums(failed=1)),
        (["sent", "failed"], Sums(sent=1, failed=1)),
        (["deferred", "deferred", "sent"], Sums(sent=1)),
        (["held", "released", "expired", "cancelled", "suppressed", "rejected"], Sums()),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_which_counts_the_outcomes_of_one_delivery_add(statuses: list[Status], sums: Sums) -> None:
    assert total(count_outcomes([outcome(status) for status in statuses], {})) == sums


@pytest.mark.parametrize(
    ("known", "status", "sums", "marks"),
    [
        (Marks.SENT, "sent", Sums(), None),
        (Marks.SENT, "acknowledged", Sums(acknowledged=1), ACKNOWLEDGED),
        (ACKNOWLEDGED, "delivered", Sums(delivered=1), ACKNOWLEDGED | Marks.DELIVERED),
        (ACKNOWLEDGED | Marks.DELIVERED, "delivered", Sums(), None),
        (ACKNOWLEDGED, "read", Sums(delivered=1, read=1), ACKNOWLEDGED | Marks.DELIVERED | Marks.READ),
        (Marks.FAILED, "sent", Sums(sent=1), Marks.SENT | Marks.FAILED),
    ],
)
def test_a_counted_status_is_not_counted_again(known: Marks, status: Status, sums: Sums, marks: Marks | None) -> None:
    tally = count_outcomes([outcome(status)], {"dlv_1": CountedDelivery(known)})
    assert (total(tally), tally.marks) == (sums, {} if marks is None else {"dlv_1": marks})


def test_an_outcome_counts_in_its_own_minute_profile_and_lane() -> None:
    tally = count_outcomes(
        [
            outcome("sent", minute=0),
            outcome("delivered", minute=2),
            outcome("sent", minute=0, delivery="dlv_2", lane="reply"),
            outcome("read", minute=5, delivery="dlv_3", profile="support"),
        ],
        {},
    )
    assert tally.added == {
        MinuteBucket("sales", NOON, "open", "shop"): Sums(sent=1, arrived=1),
        MinuteBucket("sales", NOON + timedelta(minutes=2), "open", "shop"): Sums(acknowledged=1, delivered=1),
        MinuteBucket("sales", NOON, "reply", "shop"): Sums(sent=1),
        MinuteBucket("support", NOON + timedelta(minutes=5), "open", "shop"): Sums(
            sent=1, acknowledged=1, delivered=1, read=1, arrived=1
        ),
    }
    assert tally.profiles == {"sales", "support"}


def test_an_outcome_without_a_profile_is_not_counted() -> None:
    assert count_outcomes([outcome("failed", profile=None)], {}) == Tally()


def received(status: Status, sent_before: timedelta) -> DeliveryOutcome:
    """A receipt of a message that was sent this long before."""
    receipt = outcome(status)
    return receipt.model_copy(update={"sent_at": receipt.at - sent_before})


@pytest.mark.parametrize("status", ["acknowledged", "delivered", "read", "failed"])
def test_a_receipt_of_a_forgotten_delivery_counts_nothing(status: Status) -> None:
    """Before, it counted as a new send."""
    late = received(status, timedelta(days=36))
    tally = count_outcomes([late, late], {"dlv_1": CountedDelivery()})
    assert (tally.added, tally.marks, tally.failures, tally.sent, tally.late_receipts) == ({}, {}, {}, [], 2)
    contacts = count_contacts(tally, {})
    assert (contacts.contacts, contacts.sent_deliveries) == ({}, [])


def test_a_late_receipt_of_a_known_delivery_and_an_early_one_of_an_unknown_delivery_count() -> None:
    known = {"dlv_1": CountedDelivery(Marks.SENT)}
    assert total(count_outcomes([received("read", timedelta(days=36))], known)).read == 1
    early = count_outcomes([received("read", timedelta(days=33))], {})
    assert total(early) == total(count_outcomes([outcome("read")], {}))


def test_a_minute_is_the_same_in_every_zone() -> None:
    cairo = outcome("sent").model_copy(update={"at": datetime.fromisoformat("2026-03-01T14:00:59+02:00")})
    assert list(count_outcomes([cairo], {}).added) == [MinuteBucket("sales", NOON, "open", "shop")]


def test_a_customers_message_counts_as_received_by_its_profile() -> None:
    messages = [
        CustomerMessage(
            package_id="shop", profile_id="sales", recipient="201001234567", gateway_message_id=each, at=NOON
        )
        for each in ("wamid.1", "wamid.2")
    ]
    assert count_customer_messages(messages, {}).added == {
        MinuteBucket("sales", NOON, "reply", "shop"): Sums(received=2)
    }


statuses = st.sampled_from(["sent", "acknowledged", "delivered", "read", "failed", "unknown", "deferred"])
facts = st.lists(st.tuples(statuses, st.sampled_from(["dlv_1", "dlv_2"])), max_size=6)


@given(facts, st.data())
def test_any_order_repetition_and_batching_gives_the_same_counts(
    facts: list[tuple[Status, str]], data: st.DataObject
) -> None:
    repeats = data.draw(st.lists(st.sampled_from(facts), max_size=4)) if facts else []
    shuffled = data.draw(st.permutations([*facts, *repeats]))
    cut = data.draw(st.integers(0, len(shuffled)))
    first = count_outcomes([outcome(status, delivery=delivery) for status, delivery in shuffled[:cut]], {})
    known = {name: CountedDelivery(marks) for name, marks in first.marks.items()}
    second = count_outcomes([outcome(status, delivery=delivery) for status, delivery in shuffled[cut:]], known)
    told = {(delivery, mark) for status, delivery in facts for mark in _told(status)}
    assert total(first) + total(second) == Sums(*(sum(mark == each for _, mark in told) for each in _COLUMNS))


_COLUMNS = ("sent", "acknowledged", "delivered", "read", "failed")


def _told(status: Status) -> tuple[str, ...]:
    """The same counts by a simpler method than the code's."""
    ladder = ("sent", "acknowledged", "delivered", "read")
    if status in ladder:
        return ladder[: ladder.index(status) + 1]
    return ("failed",) if status == "failed" else ()


def test_a_refused_try_counts_by_its_failure_class_and_a_failure_once() -> None:
    failed = outcome("failed").model_copy(update={"failure": "recipient"})
    deferred = outcome("deferred", minute=1, delivery="dlv_2").model_copy(update={"failure": "throttled"})
    tally = count_outcomes([failed, failed, deferred], {}, refusals([failed, deferred]))
    bucket = MinuteBucket("sales", NOON, "open", "shop")
    assert tally.failures == {
        (bucket, "recipient"): 1,
        (MinuteBucket("sales", NOON + timedelta(minutes=1), "open", "shop"), "throttled"): 1,
    }


def test_night_is_decided_by_the_time_zone_of_the_phone_number() -> None:
    """In Cairo it is two hours later than in Greenwich. Replies do not count: the customer is awake."""
    at_ten, at_midnight, at_six = (outcome("sent", minute=hour * 60) for hour in (8, 10, 16))
    assert [total(count_outcomes([each], {})).night for each in (at_ten, at_midnight, at_six)] == [0, 1, 0]
    assert total(count_outcomes([at_midnight.model_copy(update={"lane": "reply"})], {})).night == 0
