"""Tally: what a batch of events adds to the counts. Each event is counted once."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import IntFlag

from spreader.contract.events import CustomerMessage, DeliveryOutcome
from spreader.contract.ids import ERASED
from spreader.phone.canonical import PersonKey
from stats.core.contacts import ContactHistory, CustomerAnswer, after_customer_message, after_open_message
from stats.core.night import is_night
from stats.core.sums import MinuteBucket, Sums, minute_of


class Marks(IntFlag):
    """The statuses of a delivery that are already counted."""

    NONE = 0
    SENT = 1
    DELIVERED = 2
    READ = 4
    FAILED = 8
    ACKNOWLEDGED = 16


IMPLIED: Mapping[str, Marks] = {
    "sent": Marks.SENT,
    "acknowledged": Marks.SENT | Marks.ACKNOWLEDGED,
    "delivered": Marks.SENT | Marks.ACKNOWLEDGED | Marks.DELIVERED,
    "read": Marks.SENT | Marks.ACKNOWLEDGED | Marks.DELIVERED | Marks.READ,
    "failed": Marks.FAILED,
}
"""The statuses that a status implies. For example, a message that was read was also sent. Other statuses are not
counted."""

KNOWN_FOR = timedelta(days=34)
"""For this long, stats certainly remembers a delivery. `stats.counting.retention` deletes it a day later at the
earliest."""

REFUSED = frozenset({"deferred", "expired", "unknown"})
"""The statuses, besides `failed`, that a refused try may cause. Only their failure class is counted."""

ContactKey = tuple[str, PersonKey]
"""A profile and the key of a recipient."""


@dataclass(frozen=True, slots=True)
class CountedDelivery:
    """What is already counted of a delivery, and the bucket in which it was sent."""

    marks: Marks = Marks.NONE
    sent: MinuteBucket | None = None


@dataclass(frozen=True, slots=True)
class SentDelivery:
    """A delivery that the gateway accepted, stored as evidence for health and limits."""

    outcome: DeliveryOutcome
    is_new: bool
    """Whether it made its recipient a new contact."""
    receives: bool
    """Whether an earlier message was delivered to its recipient."""


@dataclass(slots=True)
class Tally:
    """Everything that a batch adds, made by `count_outcomes` and `count_contacts`, or by `count_customer_messages`."""

    added: dict[MinuteBucket, Sums] = field(default_factory=dict[MinuteBucket, Sums])
    failures: dict[tuple[MinuteBucket, str], int] = field(default_factory=dict[tuple[MinuteBucket, str], int])
    messages: dict[tuple[str, MinuteBucket], Sums] = field(default_factory=dict[tuple[str, MinuteBucket], Sums])
    """The sums by message and bucket."""
    marks: dict[str, Marks] = field(default_factory=dict[str, Marks])
    """The marks of the deliveries that have new ones."""
    sent: list[DeliveryOutcome] = field(default_factory=list[DeliveryOutcome])
    """The outcomes by which a delivery is counted as sent for the first time. `count_contacts` must still look at the
    contacts of these outcomes."""
    delivered: list[DeliveryOutcome] = field(default_factory=list[DeliveryOutcome])
    """The outcomes by which a delivery is counted as delivered for the first time."""
    sent_deliveries: list[SentDelivery] = field(default_factory=list[SentDelivery])
    contacts: dict[ContactKey, ContactHistory] = field(default_factory=dict[ContactKey, ContactHistory])
    late_receipts: int = 0
    """How many receipts were not counted because their deliveries are forgotten."""

    @property
    def profiles(self) -> frozenset[str]:
        return frozenset(bucket.profile_id for bucket in (*self.added, *(bucket for bucket, _ in self.failures)))

    @property
    def contact_keys(self) -> frozenset[ContactKey]:
        """The contacts whose history `count_contacts` needs. Erased persons have no contacts."""
        keys = (_contact_key(outcome) for outcome in (*self.sent, *self.delivered))
        return frozenset(key for key in keys if not _is_erased(key))

    def add(self, bucket: MinuteBucket, sums: Sums, message_id: str | None = None) -> None:
        self.added[bucket] = self.added.get(bucket, _NOTHING) + sums
        if message_id is not None:
            key = (message_id, bucket)
            self.messages[key] = self.messages.get(key, _NOTHING) + sums

    def add_failure(self, bucket: MinuteBucket, failure: str) -> None:
        self.failures[bucket, failure] = self.failures.get((bucket, failure), 0) + 1


_NOTHING = Sums()


def countable(outcomes: Iterable[DeliveryOutcome]) -> list[DeliveryOutcome]:
    """The outcomes whose status is counted for their delivery."""
    return [outcome for outcome in outcomes if outcome.status in IMPLIED and outcome.profile_id is not None]


def refusals(outcomes: Iterable[DeliveryOutcome]) -> list[DeliveryOutcome]:
    """The outcomes of refused tries after which the delivery went on, or ended with another status than `failed`."""
    return [
        outcome
        for outcome in outcomes
        if outcome.status in REFUSED and outcome.failure is not None and outcome.profile_id is not None
    ]


def count_outcomes(
    outcomes: Iterable[DeliveryOutcome],
    counted: Mapping[str, CountedDelivery],
    new_refusals: Collection[DeliveryOutcome] = (),
) -> Tally:
    """Count the statuses of `outcomes` that `counted` (by delivery id) does not contain, and all of `new_refusals`.

    Marks are only ever added, so the counts do not depend on the order or the repetition of a delivery's outcomes. A
    receipt may imply an earlier status, because a message that was read was also sent. Such an earlier status is
    counted in the minute of the receipt. When its own outcome arrives later, the count does not change.

    A receipt of a forgotten delivery is not counted, because it would count as a new send.
    """
    tally = Tally()
    sent_in: dict[str, MinuteBucket] = {}
    for outcome in countable(outcomes):
        delivery, bucket = outcome.delivery_id, _bucket(outcome, outcome.at)
        before = counted.get(delivery, _UNCOUNTED)
        marks = tally.marks.get(delivery, before.marks)
        new = IMPLIED[outcome.status] & ~marks
        if not new:
            continue
        if marks is Marks.NONE and _is_forgotten(outcome):
            tally.late_receipts += 1
            continue
        tally.marks[delivery] = marks | new
        if Marks.SENT in new:
            sent_in[delivery] = bucket
            tally.sent.append(outcome)
        if Marks.DELIVERED in new:
            tally.delivered.append(outcome)
            tally.add(sent_in.get(delivery) or before.sent or bucket, Sums(arrived=1))
        if Marks.FAILED in new and outcome.failure is not None:
            tally.add_failure(bucket, outcome.failure)
        tally.add(bucket, _sums(new, outcome), outcome.message_id)
    for outcome in new_refusals:
        tally.add_failure(_bucket(outcome, outcome.at), str(outcome.failure))
    return tally


def _is_forgotten(outcome: DeliveryOutcome) -> bool:
    """Whether the outcome is a receipt of a message that was sent long ago. Stats has then deleted the delivery of this
    message."""
    return outcome.sent_at is not None and outcome.at - outcome.sent_at > KNOWN_FOR


_UNCOUNTED = CountedDelivery()


def count_contacts(tally: Tally, contacts: Mapping[ContactKey, ContactHistory]) -> Tally:
    """Count the new contacts of the outcomes in `tally.sent`. Also count the answers that stats read before the open
    messages that they answer. The changed histories are kept in `tally.contacts`. `contacts`: the stored histories of
    `tally.contact_keys`."""
    tally.contacts.update({key: contacts.get(key, ContactHistory()) for key in tally.contact_keys})
    for outcome in tally.sent:
        key = _contact_key(outcome)
        if _is_erased(key):
            tally.sent_deliveries.append(SentDelivery(outcome, is_new=False, receives=False))
            continue
        contact = tally.contacts[key]
        is_new = outcome.lane == "open" and contact.is_new(outcome.at)
        tally.sent_deliveries.append(SentDelivery(outcome, is_new, contact.receives))
        if is_new:
            tally.add(_bucket(outcome, outcome.at), Sums(new_contacts=1, unanswered=1))
        if outcome.lane == "open":
            tally.contacts[key], answer = after_open_message(contact, outcome.at, outcome.message_id)
            _count_answer(tally, key, outcome.package_id, answer)
    for outcome in tally.delivered:
        key = _contact_key(outcome)
        if not _is_erased(key) and not tally.contacts[key].receives:
            tally.contacts[key] = replace(tally.contacts[key], receives=True)
    _keep_changed_contacts(tally, contacts)
    return tally


def writers(messages: Iterable[CustomerMessage]) -> set[ContactKey]:
    """The contacts whose history `count_customer_messages` needs. Erased persons have no contacts."""
    keys = {(message.profile_id, message.person) for message in messages}
    return {key for key in keys if not _is_erased(key)}


def count_customer_messages(
    messages: Iterable[CustomerMessage], contacts: Mapping[ContactKey, ContactHistory]
) -> Tally:
    """Count new messages of customers. They count in the reply lane, because the business answers them in that lane."""
    tally = Tally()
    for message in messages:
        key = (message.profile_id, message.person)
        bucket = MinuteBucket(message.profile_id, minute_of(message.at), "reply", message.package_id)
        tally.add(bucket, Sums(received=1))
        if _is_erased(key):
            continue
        contact = tally.contacts.get(key) or contacts.get(key, ContactHistory())
        tally.contacts[key], answer = after_customer_message(contact, message.at)
        _count_answer(tally, key, message.package_id, answer)
    _keep_changed_contacts(tally, contacts)
    return tally


def _keep_changed_contacts(tally: Tally, before: Mapping[ContactKey, ContactHistory]) -> None:
    """Drop the unchanged contacts, because only the changed ones have to be written."""
    tally.contacts = {key: contact for key, contact in tally.contacts.items() if contact != before.get(key)}


def _count_answer(tally: Tally, key: ContactKey, package_id: str, answer: CustomerAnswer | None) -> None:
    """Count an answer in the open lane, because it answers open messages."""
    if answer is None:
        return
    profile_id, _ = key
    bucket = MinuteBucket(profile_id, minute_of(answer.at), "open", package_id)
    tally.add(bucket, Sums(answered=1), answer.message_id)
    if answer.opened_at is not None:
        tally.add(MinuteBucket(profile_id, minute_of(answer.opened_at), "open", package_id), Sums(unanswered=-1))


def _is_erased(key: ContactKey) -> bool:
    return key[1] == ERASED


def _contact_key(outcome: DeliveryOutcome) -> ContactKey:
    assert outcome.profile_id is not None, "an outcome without a profile is not countable"
    return outcome.profile_id, outcome.person


def _bucket(outcome: DeliveryOutcome, at: datetime) -> MinuteBucket:
    assert outcome.profile_id is not None, "an outcome without a profile is not countable"
    return MinuteBucket(outcome.profile_id, minute_of(at), outcome.lane, outcome.package_id)


def _sums(new: Marks, outcome: DeliveryOutcome) -> Sums:
    return Sums(
        sent=int(Marks.SENT in new),
        acknowledged=int(Marks.ACKNOWLEDGED in new),
        delivered=int(Marks.DELIVERED in new),
        read=int(Marks.READ in new),
        failed=int(Marks.FAILED in new),
        night=int(Marks.SENT in new and outcome.lane == "open" and is_night(outcome.recipient, outcome.at)),
    )
