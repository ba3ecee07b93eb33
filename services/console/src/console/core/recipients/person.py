"""Person: what the API says about one phone number, and how the console words it."""

from collections.abc import Mapping, Sequence

from pydantic import AwareDatetime, Field

from console.core import formats
from console.core.api_models import ApiModel

EVERYWHERE = "*"


class ApiListing(ApiModel):
    package_id: str
    since: AwareDatetime
    source: str


class ApiKnownWords(ApiModel):
    package_id: str
    text: str
    decision: str | None = None


class ApiKnownHiddenId(ApiModel):
    profile_id: str
    hidden_id: str


class ApiPersonDeliveries(ApiModel):
    total: int
    counts: dict[str, int]
    first_at: AwareDatetime | None = None
    last_at: AwareDatetime | None = None


class ApiPersonConversation(ApiModel):
    package_id: str
    profile_id: str
    customer_at: AwareDatetime | None = None
    sent_at: AwareDatetime | None = None


class ApiReading(ApiModel):
    package_id: str
    timezone: str
    best_hour: int
    hours: dict[str, int]


class ApiServiceErasure(ApiModel):
    done_at: AwareDatetime | None = None
    rows: dict[str, int]


class ApiLeftToTime(ApiModel):
    what: str
    until: AwareDatetime | None = None


class ApiErasure(ApiModel):
    erasure_id: str
    status: str
    at: AwareDatetime
    done_at: AwareDatetime | None = None
    asked_by: str | None = None
    keep_suppression: bool
    services: dict[str, ApiServiceErasure]
    left_to_time: tuple[ApiLeftToTime, ...] = ()


class ApiPerson(ApiModel):
    recipient: str
    suppressions: tuple[ApiListing, ...]
    opt_ins: tuple[ApiListing, ...]
    possible_opt_outs: tuple[ApiKnownWords, ...] = ()
    hidden_ids: tuple[ApiKnownHiddenId, ...] = ()
    deliveries: ApiPersonDeliveries
    conversations: tuple[ApiPersonConversation, ...] | None = None
    reading: tuple[ApiReading, ...] | None = None
    unavailable: dict[str, str] = Field(default_factory=dict[str, str])
    erasure: ApiErasure | None = None


def listings_text(listings: Sequence[ApiListing], names: Mapping[str, str]) -> str:
    """The packages on whose list the number is. `names`: the names of the packages by id."""
    shown = [
        "all packages" if listing.package_id == EVERYWHERE else names.get(listing.package_id, listing.package_id)
        for listing in listings
    ]
    return ", ".join(shown) or "no"


def words_text(words: Sequence[ApiKnownWords]) -> str:
    """The messages that may be opt-outs, with the decision on each: `“STOP STOP” (no decision)`."""
    return ", ".join(f"“{each.text}” ({each.decision or 'no decision'})" for each in words) or "none"


def deliveries_text(deliveries: ApiPersonDeliveries) -> str:
    if not deliveries.total:
        return "none"
    parts = [f"{formats.count(number)} {status}" for status, number in deliveries.counts.items() if number]
    return f"{formats.count(deliveries.total)}: {', '.join(parts)}"


def reading_text(readings: Sequence[ApiReading] | None) -> str:
    """The best hour, and how many readings are known. The hour is that of the package with the most readings. The
    readings of all packages are counted."""
    if readings is None:
        return formats.UNKNOWN
    if not readings:
        return "nothing is known"
    best = max(readings, key=lambda reading: sum(reading.hours.values()))
    number = sum(sum(reading.hours.values()) for reading in readings)
    return f"best at {best.best_hour}:00 ({best.timezone}), by {formats.plural(number, 'reading')}"


def removed_text(service: ApiServiceErasure) -> str:
    """What a service has removed, by table: `pacer.delivery: 2, pacer.habit: 3`."""
    if service.done_at is None:
        return "at work"
    return ", ".join(f"{table}: {rows}" for table, rows in sorted(service.rows.items())) or "it had nothing"
