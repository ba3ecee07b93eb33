"""Views: the read-only statements of forecasts, explanations and queue lengths."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from pacer.sql.contacts import COLD


@dataclass(frozen=True, slots=True)
class HeldCount:
    """The number of deliveries in a profile's queue, and the time of the profile's newest stored assignment."""

    profile_id: str
    assigned_until: datetime | None
    held: int


@dataclass(frozen=True, slots=True)
class QueuePartRow:
    """The number of a profile's held deliveries with the same `rank`, `cold` and `since`.

    `since` is the current time for deliveries that are due. For others it is the hour in which they become due.
    """

    profile_id: str
    rank: int
    cold: bool
    since: datetime
    deliveries: int


@dataclass(frozen=True, slots=True)
class ProfileMicroseconds:
    """Times of a profile in order, as microseconds since 1970. Numbers are far cheaper to read than times."""

    profile_id: str
    microseconds: list[int]


@dataclass(frozen=True, slots=True)
class ProfileCount:
    profile_id: str
    deliveries: int


@dataclass(frozen=True, slots=True)
class UsageRow:
    """Releases in the last hour, 3 hours and day, and those to cold contacts in the last day."""

    profile_id: str
    hour: int
    three_hours: int
    day: int
    contacts: int


@dataclass(frozen=True, slots=True)
class DeliveryLocation:
    package_id: str
    profile_id: str


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """A delivery with the facts about its recipient, and the number of deliveries ahead of it."""

    delivery_id: str
    package_id: str
    profile_id: str
    recipient: str
    attempt: int
    tried: list[str]
    rank: int
    cold: bool
    asked_at: datetime
    not_before: datetime
    put_off_by: str | None
    timing: str | None
    state: str
    reason: str | None
    released_at: datetime | None
    full_since: datetime | None
    waiting_since: datetime | None
    ahead: int


@dataclass(frozen=True, slots=True)
class StateCount:
    state: str
    deliveries: int


HELD = text("""
SELECT asked.profile_id, asked.assigned_until, counted.deliveries AS held
FROM (SELECT * FROM pacer.profile WHERE profile_id = ANY (CAST(:profile_ids AS text[]))) AS asked
CROSS JOIN LATERAL (SELECT count(*) AS deliveries FROM (
    SELECT 1 FROM pacer.delivery WHERE delivery.profile_id = asked.profile_id AND state = 'held'
    LIMIT :count_max) AS waiting) AS counted""")

_MICROSECONDS = "CAST(extract(epoch FROM least({column}, CAST(:now AS timestamptz))) * 1000000 AS bigint)"

PAST_RELEASES = text(f"""
SELECT profile_id, array_agg({_MICROSECONDS.format(column="effective_at")} ORDER BY effective_at) AS microseconds
FROM pacer.release
WHERE profile_id = ANY (CAST(:profile_ids AS text[])) AND effective_at > CAST(:now AS timestamptz) - interval '28 hours'
GROUP BY profile_id""")
"""The releases of the last 28 hours: 24 for the day limit, and 4 for the slack after it.

A base gap is at most about a day. The slack is by default at most 8 % of it, which is about 2 hours.
"""

PAST_CONTACTS = text(f"""
SELECT profile_id, array_agg({_MICROSECONDS.format(column="opened_at")} ORDER BY opened_at) AS microseconds
FROM pacer.contact
WHERE profile_id = ANY (CAST(:profile_ids AS text[])) AND unanswered
  AND opened_at > CAST(:now AS timestamptz) - interval '30 days'
GROUP BY profile_id""")

PACKAGE_RELEASES = text(f"""
SELECT {_MICROSECONDS.format(column="effective_at")} FROM pacer.release
WHERE package_id = :package_id AND effective_at > CAST(:now AS timestamptz) - interval '24 hours'
ORDER BY effective_at DESC LIMIT :per_day""")

QUEUE_SIZES = text("""
SELECT profile_id, count(*) AS deliveries FROM pacer.delivery
WHERE profile_id = ANY (CAST(:profile_ids AS text[])) AND state = 'held'
  AND message_id IS DISTINCT FROM CAST(:message_id AS text)
GROUP BY profile_id""")

UNANSWERED = text("""
SELECT profile_id, count(*) AS deliveries FROM pacer.contact
WHERE profile_id = ANY (CAST(:profile_ids AS text[])) AND unanswered
  AND opened_at > CAST(:now AS timestamptz) - interval '30 days'
GROUP BY profile_id""")
"""In these rows, `deliveries` is the number of contacts that have not answered."""

QUEUE_PARTS = text("""
SELECT profile_id, rank, cold,
       CASE WHEN not_before <= :now THEN CAST(:now AS timestamptz) ELSE date_trunc('hour', not_before) END AS since,
       count(*) AS deliveries
FROM pacer.delivery
WHERE profile_id = ANY (CAST(:profile_ids AS text[])) AND state = 'held'
  AND message_id IS DISTINCT FROM CAST(:message_id AS text)
GROUP BY 1, 2, 3, 4""")

GONE = text("""
SELECT profile_id, count(*) AS deliveries FROM pacer.delivery
WHERE message_id = CAST(:message_id AS text) AND state <> 'held' GROUP BY profile_id""")

PROFILES = text("""
SELECT profile_id, package_id, last_release, position, look_at, moved FROM pacer.profile
WHERE profile_id = ANY (CAST(:profile_ids AS text[]))""")
"""Rows of `pacer.sql.release.PacedProfile`."""

USED = text("""
SELECT profile_id, count(*) FILTER (WHERE effective_at > CAST(:now AS timestamptz) - interval '1 hour') AS hour,
       count(*) FILTER (WHERE effective_at > CAST(:now AS timestamptz) - interval '3 hours') AS three_hours,
       count(*) AS day, count(*) FILTER (WHERE cold) AS contacts
FROM pacer.release
WHERE profile_id = ANY (CAST(:profile_ids AS text[])) AND effective_at > CAST(:now AS timestamptz) - interval '24 hours'
GROUP BY profile_id""")

DELIVERY_LOCATION = text("SELECT package_id, profile_id FROM pacer.delivery WHERE delivery_id = :delivery_id")

DELIVERY = text(f"""
SELECT delivery.delivery_id, delivery.package_id, delivery.profile_id, delivery.recipient, attempt, tried, rank,
       {COLD} AS cold, asked_at, not_before, put_off_by, timing, state, reason, released_at, lately.at AS full_since,
       waiting_since,
       (SELECT count(*) FROM (
            SELECT 1 FROM pacer.delivery AS other
            WHERE other.profile_id = delivery.profile_id AND other.state = 'held'
              AND (other.rank, other.not_before, other.seq) < (delivery.rank, delivery.not_before, delivery.seq)
            LIMIT :count_max) AS ahead) AS ahead
FROM pacer.delivery
LEFT JOIN pacer.contact ON contact.profile_id = delivery.profile_id AND contact.recipient = delivery.recipient
LEFT JOIN LATERAL (
    SELECT effective_at AS at FROM pacer.release
    WHERE release.package_id = delivery.package_id AND release.recipient = delivery.recipient
      AND effective_at > CAST(:now AS timestamptz) - interval '24 hours'
    ORDER BY effective_at DESC OFFSET :per_recipient - 1 LIMIT 1) AS lately ON CAST(:per_recipient AS int) > 0
WHERE delivery_id = :delivery_id""")

STATES = text("SELECT state, count(*) AS deliveries FROM pacer.delivery GROUP BY state")
