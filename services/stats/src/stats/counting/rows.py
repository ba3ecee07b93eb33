"""Rows: the rows that a tally adds to the tables. There is one row for each key, and the rows are sorted by key.

Transactions that update the same rows therefore lock them in the same order and cannot deadlock.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter

from spreader.contract.events import Lane
from spreader.phone.canonical import PersonKey
from spreader.runtime.rows import column
from stats.core.contacts import ContactHistory
from stats.core.sums import Failures, MinuteBucket, Sums, values
from stats.core.tally import Marks, SentDelivery, Tally


@dataclass(frozen=True)
class ProfileTimeRow:
    profile_id: str
    at: datetime
    lane: Lane
    package_id: str


@dataclass(frozen=True)
class PackageTimeRow:
    package_id: str
    at: datetime
    lane: Lane


@dataclass(frozen=True)
class ProfileCountRow(Sums, ProfileTimeRow):
    """A row of `stats.minute` and `stats.hour`."""


@dataclass(frozen=True)
class PackageCountRow(Sums, PackageTimeRow):
    """A row of `stats.package_minute` and `stats.package_hour`."""


@dataclass(frozen=True)
class ProfileFailureRow(ProfileTimeRow):
    """A row of `stats.minute_failure` and `stats.hour_failure`."""

    failure: str
    count: int = column("int")


@dataclass(frozen=True)
class PackageFailureRow(PackageTimeRow):
    """A row of `stats.package_minute_failure` and `stats.package_hour_failure`."""

    failure: str
    count: int = column("int")


@dataclass(frozen=True)
class MessageKeyRow:
    message_id: str
    profile_id: str
    lane: Lane
    package_id: str
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True)
class MessageCountRow(Sums, MessageKeyRow):
    """A row of `stats.message`."""


@dataclass(frozen=True)
class WindowKeyRow:
    profile_id: str
    span: str
    sent_open: int


@dataclass(frozen=True)
class WindowRow(Sums, WindowKeyRow):
    """The sums of one window of a profile. The week has up to three rows, which are added up."""


@dataclass(frozen=True, slots=True)
class WindowFailureRow:
    profile_id: str
    span: str
    failure: str
    number: int


@dataclass(frozen=True)
class ContactKeyRow:
    profile_id: str
    recipient: PersonKey


@dataclass(frozen=True)
class ContactRow(ContactHistory, ContactKeyRow):
    """A row of `stats.contact`."""

    @property
    def history(self) -> ContactHistory:
        return ContactHistory(*_history(self))


_history = attrgetter(*(name.name for name in fields(ContactHistory)))


@dataclass(frozen=True, slots=True)
class DeliveryMarksRow:
    delivery_id: str
    marks: int = column("smallint")


@dataclass(frozen=True, slots=True)
class SentDeliveryRow:
    """The columns of `stats.delivery` that are set when the delivery is first counted as sent."""

    delivery_id: str
    profile_id: str | None
    package_id: str
    message_id: str
    lane: Lane
    sent_at: datetime
    waits: bool
    """Whether neither an acknowledgement nor a failure is counted yet."""
    fingerprint: str | None
    is_new: bool
    receives: bool
    marks: int = column("smallint")

    @classmethod
    def of(cls, sent: SentDelivery, marks: Marks) -> "SentDeliveryRow":
        outcome = sent.outcome
        return cls(
            outcome.delivery_id,
            outcome.profile_id,
            outcome.package_id,
            outcome.message_id,
            outcome.lane,
            outcome.at,
            waits=not marks & (Marks.ACKNOWLEDGED | Marks.FAILED),
            fingerprint=outcome.fingerprint,
            is_new=sent.is_new,
            receives=sent.receives,
            marks=int(marks),
        )


@dataclass(frozen=True, slots=True)
class CountedDeliveryRow:
    """What `stats.delivery` already contains about the delivery of an outcome."""

    delivery_id: str
    marks: int
    profile_id: str | None
    package_id: str | None
    lane: Lane | None
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class SinceRow:
    profile_id: str
    since: datetime


@dataclass(frozen=True, slots=True)
class SentRow:
    profile_id: str
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class CustomerMessageRow:
    profile_id: str
    gateway_message_id: str


StartOf = Callable[[datetime], datetime]
"""`minute_of` for the tables of minutes, `hour_of` for the tables of hours."""


def profile_counts(added: Mapping[MinuteBucket, Sums], start_of: StartOf) -> list[ProfileCountRow]:
    sums: dict[tuple[str, datetime, Lane], Sums] = {}
    packages: dict[tuple[str, datetime, Lane], str] = {}
    for bucket, bucket_sums in added.items():
        key = (bucket.profile_id, start_of(bucket.minute), bucket.lane)
        sums[key] = sums.get(key, NOTHING) + bucket_sums
        packages.setdefault(key, bucket.package_id)
    return [ProfileCountRow(*key, packages[key], *values(sums[key])) for key in sorted(sums)]


def package_counts(added: Mapping[MinuteBucket, Sums], start_of: StartOf) -> list[PackageCountRow]:
    sums: dict[tuple[str, datetime, Lane], Sums] = {}
    for bucket, bucket_sums in added.items():
        key = (bucket.package_id, start_of(bucket.minute), bucket.lane)
        sums[key] = sums.get(key, NOTHING) + bucket_sums
    return [PackageCountRow(*key, *values(sums[key])) for key in sorted(sums)]


def profile_failures(failures: Failures, start_of: StartOf) -> list[ProfileFailureRow]:
    counts: Counter[tuple[str, datetime, Lane, str]] = Counter()
    packages: dict[tuple[str, datetime, Lane], str] = {}
    for (bucket, failure), count in failures.items():
        key = (bucket.profile_id, start_of(bucket.minute), bucket.lane)
        counts[*key, failure] += count
        packages.setdefault(key, bucket.package_id)
    return [
        ProfileFailureRow(profile, at, lane, packages[profile, at, lane], failure, counts[profile, at, lane, failure])
        for profile, at, lane, failure in sorted(counts)
    ]


def package_failures(failures: Failures, start_of: StartOf) -> list[PackageFailureRow]:
    counts: Counter[tuple[str, datetime, Lane, str]] = Counter()
    for (bucket, failure), count in failures.items():
        counts[bucket.package_id, start_of(bucket.minute), bucket.lane, failure] += count
    return [PackageFailureRow(*key, counts[key]) for key in sorted(counts)]


def message_counts(messages: Mapping[tuple[str, MinuteBucket], Sums]) -> list[MessageCountRow]:
    sums: dict[tuple[str, str, Lane], Sums] = {}
    packages: dict[tuple[str, str, Lane], str] = {}
    minutes: defaultdict[tuple[str, str, Lane], list[datetime]] = defaultdict(list)
    for (message, bucket), bucket_sums in messages.items():
        key = (message, bucket.profile_id, bucket.lane)
        sums[key] = sums.get(key, NOTHING) + bucket_sums
        packages.setdefault(key, bucket.package_id)
        minutes[key].append(bucket.minute)
    return [
        MessageCountRow(*key, packages[key], min(minutes[key]), max(minutes[key]), *values(sums[key]))
        for key in sorted(sums)
    ]


def sent_deliveries(tally: Tally) -> list[SentDeliveryRow]:
    return [SentDeliveryRow.of(sent, tally.marks[sent.outcome.delivery_id]) for sent in tally.sent_deliveries]


def delivery_marks(tally: Tally) -> list[DeliveryMarksRow]:
    """The new marks of deliveries that were counted as sent before."""
    new = {sent.outcome.delivery_id for sent in tally.sent_deliveries}
    return [
        DeliveryMarksRow(delivery, int(marks)) for delivery, marks in sorted(tally.marks.items()) if delivery not in new
    ]


def contacts(tally: Tally) -> list[ContactRow]:
    return [ContactRow(*key, *_history(tally.contacts[key])) for key in sorted(tally.contacts)]


NOTHING = Sums()
