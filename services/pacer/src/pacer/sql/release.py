"""Release: the statements of the release loop, about due profiles, their facts and releases. Times are system time."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text

from pacer.core.release_pass import Parked
from pacer.sql.contacts import COLD, STILL_HELD
from spreader.phone.canonical import PersonKey
from spreader.runtime.rows import column, unnest


@dataclass(frozen=True, slots=True)
class PacedProfile:
    """`position`: as in `pacer.core.policy.Facts`. `look_at`: since when the profile is due. If an event woke the
    profile, that is the time of the event. Earlier versions of the pacer store `-infinity` instead, which Python reads
    as a time in the year 1."""

    profile_id: str
    package_id: str
    last_release: datetime | None
    position: float
    look_at: datetime
    moved: bool
    """Whether the profile may hold deliveries of a package that it was in before."""


@dataclass(frozen=True, slots=True)
class PackageReleases:
    """How many releases of a package the gateway has not answered."""

    package_id: str
    releases: int


@dataclass(frozen=True, slots=True)
class LimitsRow:
    """A profile's rules in force, as far as FACTS needs them."""

    profile_id: str
    slack: timedelta
    per_hour: int = column("int")
    per_3_hours: int = column("int")
    per_day: int = column("int")
    new_contacts: int | None = column("int")
    unanswered: int | None = column("int")
    rush_over: int = column("int")


@dataclass(frozen=True, slots=True)
class FactsRow:
    """`waiting`: the number of due deliveries, counted up to `rush_over` + 1. `lately`: the number of releases in the
    two hours up to the last release.

    `hour`, `three_hours`, `day`, `contacts`, `unanswered`: when the gateway answered the release that fills this limit
    (`effective_at`). None: the limit has room. `first`, `second`, `places`: the values of `pacer.core.policy.Pair`, but
    with both times a day earlier. None: the day limit had room after the last release.
    """

    profile_id: str
    waiting: int
    lately: int
    hour: datetime | None
    three_hours: datetime | None
    day: datetime | None
    first: datetime | None
    second: datetime | None
    places: int | None
    contacts: datetime | None
    unanswered: datetime | None


@dataclass(frozen=True, slots=True)
class PackageLimit:
    package_id: str
    per_day: int = column("int")


@dataclass(frozen=True, slots=True)
class PackageDayRow:
    """The number of releases in the last 24 hours, counted up to the limit, and the time of the oldest counted one."""

    package_id: str
    releases: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class RecipientLimit:
    profile_id: str
    per_recipient: int | None = column("int")


@dataclass(frozen=True, slots=True)
class HeadRow:
    """A delivery near the front of a part of a queue.

    `filed_cold`: whether the delivery is in the part of cold contacts. `cold`: whether it belongs there. `full_since`:
    when the gateway answered the release that fills the recipient's limit. None: that limit has room.
    """

    profile_id: str
    delivery_id: str
    recipient: str
    rank: int
    not_before: datetime
    filed_cold: bool
    cold: bool
    full_since: datetime | None


@dataclass(frozen=True, slots=True)
class ReleaseChoice:
    """A delivery to release. `release`: the number of its release."""

    delivery_id: str
    release: int
    send_by: datetime


@dataclass(frozen=True, slots=True)
class ReleasedDelivery:
    delivery_id: str
    profile_id: str
    package_id: str
    release: int
    recipient: str


@dataclass(frozen=True, slots=True)
class NewRelease:
    """A row for `pacer.release`."""

    profile_id: str
    number: int
    package_id: str
    delivery_id: str
    recipient: PersonKey
    cold: bool


@dataclass(frozen=True, slots=True)
class ReleaseNumber:
    """`releases`: how many releases the profile has made, which is the number of its newest one."""

    profile_id: str
    releases: int


@dataclass(frozen=True, slots=True)
class NextLook:
    """When to look at a profile again. `look_at` is None if only an event wakes it."""

    profile_id: str
    look_at: datetime | None
    awaits_answer: bool = False
    awaits_own_event: bool = False


DUE = text("""
SELECT profile_id, package_id, last_release, position, look_at, moved FROM pacer.profile
WHERE look_at <= :now ORDER BY look_at LIMIT :profiles FOR UPDATE SKIP LOCKED""")

NEXT_LOOK = text("SELECT min(look_at) FROM pacer.profile")

PACKAGES_LOCK = text("""
SELECT package_id FROM pacer.package WHERE package_id = ANY (CAST(:package_ids AS text[]))
ORDER BY package_id FOR UPDATE""")

AT_GATEWAY = text("""
SELECT package_id, count(*) AS releases FROM pacer.release
WHERE package_id = ANY (CAST(:package_ids AS text[])) AND effective_at = 'infinity' GROUP BY package_id""")

_NEWEST = """
LEFT JOIN LATERAL (
    SELECT effective_at AS at FROM pacer.release
    WHERE release.profile_id = asked.profile_id AND {cold}
          effective_at > CAST(:now AS timestamptz) - interval '{span}' - asked.slack
    ORDER BY effective_at DESC OFFSET asked.{limit} - 1 LIMIT 1) AS {name} ON {known}"""
_ALWAYS = {"cold": "", "known": "true"}
_HOUR = _NEWEST.format(name="hour", span="1 hour", limit="per_hour", **_ALWAYS)
_THREE_HOURS = _NEWEST.format(name="three_hours", span="3 hours", limit="per_3_hours", **_ALWAYS)
_CONTACTS = _NEWEST.format(
    name="contacts", span="24 hours", limit="new_contacts", cold="cold AND", known="asked.new_contacts > 0"
)

FACTS = text(f"""
SELECT asked.profile_id, waiting.deliveries AS waiting, lately.releases AS lately,
       hour.at AS hour, three_hours.at AS three_hours,
       CASE WHEN filling.first > CAST(:now AS timestamptz) - interval '24 hours' - asked.slack
            THEN filling.first END AS day,
       pair.first, pair.second, pair.places,
       contacts.at AS contacts, unanswered.at AS unanswered
FROM {unnest(LimitsRow, "asked")}
CROSS JOIN LATERAL (
    SELECT count(*) AS deliveries FROM (
        SELECT 1 FROM (VALUES (0, false), (0, true), (1, false), (1, true)) AS part (rank, cold)
        CROSS JOIN LATERAL (
            SELECT 1 FROM pacer.delivery
            WHERE delivery.profile_id = asked.profile_id AND state = 'held' AND delivery.rank = part.rank
              AND delivery.cold = part.cold AND not_before <= :now
            LIMIT asked.rush_over + 1) AS of_part
        LIMIT asked.rush_over + 1) AS due) AS waiting
LEFT JOIN pacer.profile ON profile.profile_id = asked.profile_id
CROSS JOIN LATERAL (
    SELECT count(*) AS releases FROM pacer.release
    WHERE release.profile_id = asked.profile_id
      AND effective_at > coalesce(profile.last_release, :now) - interval '2 hours') AS lately
LEFT JOIN LATERAL (
    SELECT min(effective_at) AS first, max(effective_at) AS second,
           asked.per_day > 1 AND min(effective_at) > profile.last_release - interval '24 hours' AS is_full
    FROM (
        SELECT effective_at FROM pacer.release
        WHERE release.profile_id = asked.profile_id
          AND effective_at > least(CAST(:now AS timestamptz) - asked.slack, profile.last_release) - interval '24 hours'
        ORDER BY effective_at DESC OFFSET greatest(asked.per_day - 2, 0) LIMIT least(asked.per_day, 2)) AS last
    HAVING count(*) = least(asked.per_day, 2)) AS filling ON true
LEFT JOIN LATERAL (
    SELECT filling.first, filling.second, count(*) AS places FROM pacer.release
    WHERE release.profile_id = asked.profile_id AND effective_at > profile.last_release - interval '24 hours'
      AND effective_at <= profile.last_release - interval '21 hours'
      AND filling.is_full) AS pair ON filling.is_full{_HOUR}{_THREE_HOURS}{_CONTACTS}
LEFT JOIN LATERAL (
    SELECT opened_at AS at FROM pacer.contact
    WHERE contact.profile_id = asked.profile_id AND contact.unanswered
      AND opened_at > CAST(:now AS timestamptz) - interval '30 days' - asked.slack
    ORDER BY opened_at DESC OFFSET asked.unanswered - 1 LIMIT 1) AS unanswered ON asked.unanswered > 0""")
"""The N-th newest release fills a limit of N releases. It does so while it is in the limit's window, or in the slack
after the window."""

PACKAGE_DAY = text(f"""
SELECT asked.package_id, day.releases, day.oldest
FROM {unnest(PackageLimit, "asked")}
CROSS JOIN LATERAL (
    SELECT count(*) AS releases, min(effective_at) AS oldest FROM (
        SELECT effective_at FROM pacer.release
        WHERE release.package_id = asked.package_id AND effective_at > CAST(:now AS timestamptz) - interval '24 hours'
        ORDER BY effective_at DESC LIMIT asked.per_day) AS newest) AS day""")

HEADS = text(f"""
SELECT head.profile_id, head.delivery_id, head.recipient, head.rank, head.not_before, head.cold AS filed_cold,
       {COLD} AS cold, lately.at AS full_since
FROM {unnest(RecipientLimit, "asked")}
CROSS JOIN (VALUES (0, false), (0, true), (1, false), (1, true)) AS part (rank, cold)
CROSS JOIN LATERAL (
    SELECT * FROM pacer.delivery
    WHERE delivery.profile_id = asked.profile_id AND state = 'held' AND delivery.rank = part.rank
      AND delivery.cold = part.cold
    ORDER BY not_before, seq LIMIT :heads) AS head
LEFT JOIN pacer.contact ON contact.profile_id = head.profile_id AND contact.recipient = head.recipient
LEFT JOIN LATERAL (
    SELECT effective_at AS at FROM pacer.release
    WHERE release.package_id = head.package_id AND release.recipient = head.recipient
      AND effective_at > CAST(:now AS timestamptz) - interval '24 hours'
    ORDER BY effective_at DESC OFFSET asked.per_recipient - 1 LIMIT 1) AS lately ON asked.per_recipient > 0
ORDER BY head.not_before, head.seq""")
"""The last ORDER BY is needed because Postgres may join a long table of contacts by hash. Then the rows lose the order
of the queue."""

PROFILE_RELEASED = text("""
UPDATE pacer.profile SET releases = releases + 1, last_release = :now, position = random()
WHERE profile_id = ANY (CAST(:profile_ids AS text[])) RETURNING profile_id, releases""")

DELIVERY_RELEASE = text(f"""
UPDATE pacer.delivery SET state = 'released', announced = false, release = chosen.release, released_at = :now,
                          send_by = chosen.send_by, first_released_at = coalesce(first_released_at, :now),
                          changed_at = clock_timestamp()
FROM {unnest(ReleaseChoice, "chosen")}
WHERE delivery.delivery_id = chosen.delivery_id AND {STILL_HELD}
RETURNING delivery.delivery_id, delivery.profile_id, delivery.package_id, delivery.release, delivery.recipient""")

RELEASE_INSERT = text(f"""
INSERT INTO pacer.release (profile_id, number, package_id, delivery_id, recipient, cold, released_at)
SELECT made.profile_id, made.number, made.package_id, made.delivery_id, made.recipient, made.cold, :now
FROM {unnest(NewRelease, "made")}""")

DELIVERY_PARK = text(f"""
UPDATE pacer.delivery SET not_before = chosen.until, put_off_by = chosen.bound
FROM {unnest(Parked, "chosen")}
WHERE delivery.delivery_id = chosen.delivery_id AND {STILL_HELD}""")

PROFILE_LOOKED = text(f"""
UPDATE pacer.profile SET look_at = coalesce(looked.look_at, 'infinity'), awaits_answer = looked.awaits_answer,
                         awaits_own_event = looked.awaits_own_event
FROM {unnest(NextLook, "looked")}
WHERE profile.profile_id = looked.profile_id""")
