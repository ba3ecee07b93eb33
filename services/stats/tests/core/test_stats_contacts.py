"""Contact history: new contacts and answers, in any order of reading."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spreader.contract.events import CustomerMessage, DeliveryOutcome, Lane, Status
from spreader.phone.canonical import person_key
from stats.core.contacts import ContactHistory
from stats.core.sums import Sums
from stats.core.tally import (
    ContactKey,
    CountedDelivery,
    Marks,
    Tally,
    count_contacts,
    count_customer_messages,
    count_outcomes,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
MONA: ContactKey = ("sales", person_key("201000000001"))


class Customer:
    """The counts of one profile and one customer, updated event by event."""

    def __init__(self) -> None:
        self.contacts: dict[ContactKey, ContactHistory] = {}
        self.known: dict[str, CountedDelivery] = {}
        self.tallies: list[Tally] = []

    def outcome(self, number: int, at: datetime, status: Status = "sent", lane: Lane = "open") -> "Customer":
        event = DeliveryOutcome(
            package_id="shop", message_id=f"msg_{number}", delivery_id=f"dlv_{number}", recipient=MONA[1], lane=lane,
            status=status, at=at, profile_id=MONA[0],
        )  # fmt: skip
        return self._counted(count_contacts(count_outcomes([event], self.known), self.contacts))

    def writes(self, at: datetime) -> "Customer":
        event = CustomerMessage(
            package_id="shop", profile_id=MONA[0], recipient=MONA[1], gateway_message_id=at.isoformat(), at=at
        )
        return self._counted(count_customer_messages([event], self.contacts))

    def _counted(self, tally: Tally) -> "Customer":
        self.contacts.update(tally.contacts)
        self.known.update({name: CountedDelivery(marks) for name, marks in tally.marks.items()})
        self.tallies.append(tally)
        return self

    def total(self) -> Sums:
        return sum((sums for tally in self.tallies for sums in tally.added.values()), Sums())

    def unanswered_of(self, minute: datetime) -> int:
        return sum(
            sums.unanswered for tally in self.tallies for bucket, sums in tally.added.items() if bucket.minute == minute
        )

    @property
    def figures(self) -> tuple[int, int, int]:
        total = self.total()
        return total.new_contacts, total.answered, total.unanswered


def test_the_first_message_makes_a_new_contact_and_an_answer_subtracts_it_in_that_minute() -> None:
    customer = Customer().outcome(1, NOON)
    assert customer.figures == (1, 0, 1)
    customer.outcome(2, NOON + DAY)
    assert customer.figures == (1, 0, 1)
    customer.writes(NOON + 2 * DAY)
    assert (customer.figures, customer.unanswered_of(NOON)) == ((1, 1, 0), 0)
    customer.writes(NOON + 2 * DAY + MINUTE)
    assert customer.figures == (1, 1, 0)


@pytest.mark.parametrize(
    ("spoke", "wrote", "is_new"),
    [
        (None, None, True),
        (timedelta(days=29), None, False),
        (timedelta(days=31), None, True),
        (timedelta(days=31), timedelta(days=27), False),
        (None, timedelta(days=27), False),
        (None, timedelta(days=29), True),
        (timedelta(days=31), timedelta(days=29), True),
    ],
)
def test_which_recipients_are_new_contacts(spoke: timedelta | None, wrote: timedelta | None, is_new: bool) -> None:
    written = None if wrote is None else NOON - wrote
    contact = ContactHistory(spoke_at=None if spoke is None else NOON - spoke, wrote_first_at=written, wrote_at=written)
    assert contact.is_new(NOON) is is_new


def test_an_answer_counts_for_the_first_message_that_awaits_it() -> None:
    customer = (
        Customer().outcome(1, NOON).outcome(2, NOON + MINUTE).writes(NOON + 2 * MINUTE).outcome(3, NOON + 3 * MINUTE)
    )
    customer.writes(NOON + 4 * MINUTE)
    answers = [message for tally in customer.tallies for (message, _), sums in tally.messages.items() if sums.answered]
    assert answers == ["msg_1", "msg_3"]


def test_a_reply_awaits_no_answer_and_a_customer_who_wrote_first_is_no_new_contact() -> None:
    customer = Customer().writes(NOON).outcome(1, NOON + MINUTE, lane="reply").writes(NOON + 2 * MINUTE)
    customer.outcome(2, NOON + 3 * MINUTE)
    assert customer.figures == (0, 0, 0)


def test_a_delivered_message_marks_its_recipient_as_receiving() -> None:
    customer = Customer().outcome(1, NOON, "delivered").outcome(2, NOON + MINUTE)
    assert [each.receives for tally in customer.tallies for each in tally.sent_deliveries] == [False, True]
    assert customer.known["dlv_2"].marks == Marks.SENT


@given(st.permutations(["sent", "writes"]), st.integers(1, 60), st.booleans())
def test_an_answer_that_is_read_before_its_message_counts_the_same(order: list[str], later: int, again: bool) -> None:
    """The two topics may be read in any order."""
    steps = {
        "sent": lambda customer: customer.outcome(1, NOON),
        "writes": lambda customer: customer.writes(NOON + later * MINUTE),
    }
    customer, usual = Customer(), Customer().outcome(1, NOON).writes(NOON + later * MINUTE)
    for step in order:
        steps[step](customer)
    if again:
        for each in (customer, usual):
            each.outcome(2, NOON + 2 * DAY).writes(NOON + 3 * DAY)
    assert customer.figures == usual.figures
    assert customer.unanswered_of(NOON) == usual.unanswered_of(NOON) == 0


@pytest.mark.parametrize(
    ("sent_to", "writes_from"),
    [
        ("5582999448232", "558299448232"),
        ("525512345678", "5215512345678"),
        ("541155551234", "5491155551234"),
    ],
)
def test_an_answer_from_the_other_spelling_of_the_number_counts(sent_to: str, writes_from: str) -> None:
    sent = DeliveryOutcome(
        package_id="shop", message_id="msg_1", delivery_id="dlv_1", recipient=sent_to, lane="open", status="sent",
        at=NOON, profile_id="sales",
    )  # fmt: skip
    answer = CustomerMessage(
        package_id="shop", profile_id="sales", recipient=writes_from, gateway_message_id="g", at=NOON + MINUTE
    )
    counted = count_contacts(count_outcomes([sent], {}), {})
    answered = count_customer_messages([answer], counted.contacts)
    assert set(answered.contacts) == set(counted.contacts)
    assert sum((sums for sums in answered.added.values()), Sums()).answered == 1
