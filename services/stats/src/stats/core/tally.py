"""Tally: what a batch of facts adds to the counts, each fact once."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import IntFlag

from spreader.contract.events import CustomerMessage, DeliveryOutcome
from stats.core.contacts import Answer, Contact, spoken, written
from stats.core.night import is_night
from stats.core.sums import Bucket, Sums, minute_of


class Marks(IntFlag):
    """What has been counted of a delivery already."""

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
"""What a status tells: who has read a message was also sent it. Other statuses count nothing."""

REFUSED = frozenset({"deferred", "expired", "unknown"})
"""The statuses that a refused try may end in, beside `failed`: its failure class is counted, the delivery goes on."""

Place = tuple[str, str]
"""A profile and a recipient."""


@dataclass(frozen=True, slots=True)
class Known:
    """What was counted of a delivery, and where its sending was."""

    marks: Marks = Marks.NONE
    sent: Bucket | None = None


@dataclass(frozen=True, slots=True)
class Sending:
    """A delivery that the gateway took, for the evidence of later questions."""

    outcome: DeliveryOutcome
    is_new: bool
    """It made its recipient a new contact."""
    receives: bool
    """Its recipient has been delivered to before."""


@dataclass(slots=True)
class Tally:
    """Everything that a batch adds. Built up by `fold`, `meet` and `receive`, then saved."""

    added: dict[Bucket, Sums] = field(default_factory=dict[Bucket, Sums])
    failures: dict[tuple[Bucket, str], int] = field(default_factory=dict[tuple[Bucket, str], int])
    messages: dict[tuple[str, Bucket], Sums] = field(default_factory=dict[tuple[str, Bucket], Sums])
    """By message and the bucket of the fact."""
    marks: dict[str, Marks] = field(default_factory=dict[str, Marks])
    """Of the deliveries that got new ones."""
    sent: list[DeliveryOutcome] = field(default_factory=list[DeliveryOutcome])
    delivered: list[DeliveryOutcome] = field(default_factory=list[DeliveryOutcome])
    """What is new of these: the contacts are still to be met."""
    sendings: list[Sending] = field(default_factory=list[Sending])
    contacts: dict[Place, Contact] = field(default_factory=dict[Place, Contact])

    @property
    def profiles(self) -> frozenset[str]:
        return frozenset(bucket.profile_id for bucket in self.added) | {each.profile_id for each, _ in self.failures}

    @property
    def places(self) -> frozenset[Place]:
        """The contacts that `meet` needs."""
        return frozenset(_place(outcome) for outcome in (*self.sent, *self.delivered))

    def add(self, bucket: Bucket, sums: Sums, message_id: str | None = None) -> None:
        self.added[bucket] = self.added.get(bucket, _NOTHING) + sums
        if message_id is not None:
            place = (message_id, bucket)
            self.messages[place] = self.messages.get(place, _NOTHING) + sums

    def fail(self, bucket: Bucket, failure: str) -> None:
        self.failures[bucket, failure] = self.failures.get((bucket, failure), 0) + 1


_NOTHING = Sums()


def countable(outcomes: Iterable[DeliveryOutcome]) -> list[DeliveryOutcome]:
    """The outcomes that change what is counted of their deliveries."""
    return [outcome for outcome in outcomes if outcome.status in IMPLIED and outcome.profile_id is not None]


def refusals(outcomes: Iterable[DeliveryOutcome]) -> list[DeliveryOutcome]:
    """Tries that were refused while their delivery went on, or ended otherwise than failed."""
    return [
        outcome
        for outcome in outcomes
        if outcome.status in REFUSED and outcome.failure is not None and outcome.profile_id is not None
    ]


def fold(
    outcomes: Iterable[DeliveryOutcome], known: Mapping[str, Known], refused: Collection[DeliveryOutcome] = ()
) -> Tally:
    """Count what is new in `outcomes`, of whose deliveries `known` was counted; and `refused`, which are all new.

    Marks only gather, so any order and any repetition of a delivery's outcomes gives the same counts. What a receipt
    implies is counted in the receipt's own minute, and stays there when the earlier fact arrives late.
    """
    tally = Tally()
    sent_in: dict[str, Bucket] = {}
    for outcome in countable(outcomes):
        name, bucket = outcome.delivery_id, _bucket(outcome, outcome.at)
        before = known.get(name, _UNKNOWN)
        marks = tally.marks.get(name, before.marks)
        new = IMPLIED[outcome.status] & ~marks
        if not new:
            continue
        tally.marks[name] = marks | new
        if Marks.SENT in new:
            sent_in[name] = bucket
            tally.sent.append(outcome)
        if Marks.DELIVERED in new:
            tally.delivered.append(outcome)
            tally.add(sent_in.get(name) or before.sent or bucket, Sums(arrived=1))
        if Marks.FAILED in new and outcome.failure is not None:
            tally.fail(bucket, outcome.failure)
        tally.add(bucket, _sums(new, outcome), outcome.message_id)
    for outcome in refused:
        tally.fail(_bucket(outcome, outcome.at), str(outcome.failure))
    return tally


_UNKNOWN = Known()


def meet(tally: Tally, contacts: Mapping[Place, Contact]) -> Tally:
    """Count what the new sendings are to their recipients: first words, answers. `contacts`: those of its `places`."""
    tally.contacts.update({place: contacts.get(place, Contact()) for place in tally.places})
    for outcome in tally.sent:
        place, contact = _place(outcome), tally.contacts[_place(outcome)]
        is_new = outcome.lane == "open" and contact.is_new(outcome.at)
        tally.sendings.append(Sending(outcome, is_new, contact.receives))
        if is_new:
            tally.add(_bucket(outcome, outcome.at), Sums(new_contacts=1, unanswered=1))
        if outcome.lane == "open":
            tally.contacts[place], answer = spoken(contact, outcome.at, outcome.message_id)
            _count_answer(tally, place, outcome.package_id, answer)
    for outcome in tally.delivered:
        contact = tally.contacts[_place(outcome)]
        if not contact.receives:
            tally.contacts[_place(outcome)] = replace(contact, receives=True)
    _forget_the_unchanged(tally, contacts)
    return tally


def receive(messages: Iterable[CustomerMessage], contacts: Mapping[Place, Contact]) -> Tally:
    """Count customers' messages that were not seen before, in the reply lane: that is where they are answered."""
    tally = Tally()
    for message in messages:
        place = (message.profile_id, message.recipient)
        bucket = Bucket(message.profile_id, minute_of(message.at), "reply", message.package_id)
        tally.add(bucket, Sums(received=1))
        known = tally.contacts.get(place) or contacts.get(place, Contact())
        tally.contacts[place], answer = written(known, message.at)
        _count_answer(tally, place, message.package_id, answer)
    _forget_the_unchanged(tally, contacts)
    return tally


def _forget_the_unchanged(tally: Tally, contacts: Mapping[Place, Contact]) -> None:
    """Only what is left has to be written."""
    changed = {place: contact for place, contact in tally.contacts.items() if contact != contacts.get(place)}
    tally.contacts = changed


def _count_answer(tally: Tally, place: Place, package_id: str, answer: Answer | None) -> None:
    """In the open lane: it is an answer to open messages."""
    if answer is None:
        return
    profile_id, _ = place
    bucket = Bucket(profile_id, minute_of(answer.at), "open", package_id)
    tally.add(bucket, Sums(answered=1), answer.message_id)
    if answer.opened_at is not None:
        tally.add(Bucket(profile_id, minute_of(answer.opened_at), "open", package_id), Sums(unanswered=-1))


def _place(outcome: DeliveryOutcome) -> Place:
    assert outcome.profile_id is not None, "only countable outcomes have places"
    return outcome.profile_id, outcome.recipient


def _bucket(outcome: DeliveryOutcome, at: datetime) -> Bucket:
    assert outcome.profile_id is not None, "only countable outcomes have buckets"
    return Bucket(outcome.profile_id, minute_of(at), outcome.lane, outcome.package_id)


def _sums(new: Marks, outcome: DeliveryOutcome) -> Sums:
    return Sums(
        sent=int(Marks.SENT in new),
        acknowledged=int(Marks.ACKNOWLEDGED in new),
        delivered=int(Marks.DELIVERED in new),
        read=int(Marks.READ in new),
        failed=int(Marks.FAILED in new),
        night=int(Marks.SENT in new and outcome.lane == "open" and is_night(outcome.recipient, outcome.at)),
    )
