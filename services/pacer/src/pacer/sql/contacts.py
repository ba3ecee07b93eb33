"""Contacts: the statements about a profile's contacts and its recipients' read times, and the condition for a cold
contact."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from spreader.erasure.sql_removals import first_column
from spreader.phone.canonical import PersonKey
from spreader.runtime.rows import column, unnest

COLD = """(contact.recipient IS NULL
        OR coalesce(contact.last_release, '-infinity') < CAST(:now AS timestamptz) - interval '30 days'
       AND coalesce(contact.wrote_at, '-infinity') < CAST(:now AS timestamptz) - interval '28 days')"""
"""The condition for a cold contact. The profile has not written to the contact for 30 days, and the contact has not
written to the profile for 28 days."""

STILL_HELD = "delivery.state || '' = 'held'"
"""Means `state = 'held'`, but is written so that Postgres cannot use a partial index over held deliveries. So Postgres
finds the rows by the statement's own key. With `state = 'held'`, Postgres would choose that index after a large intake,
because its statistics do not show yet how many deliveries are held. It would then read all held deliveries to find a
few rows."""


@dataclass(frozen=True, slots=True)
class ContactKey:
    profile_id: str
    recipient: PersonKey


@dataclass(frozen=True, slots=True)
class ContactMessage:
    """A message from a contact."""

    profile_id: str
    recipient: PersonKey
    at: datetime


@dataclass(frozen=True, slots=True)
class ContactRelease:
    """A release to a contact. `cold`: the contact was cold before the release."""

    profile_id: str
    recipient: PersonKey
    cold: bool


@dataclass(frozen=True, slots=True)
class ReleaseKey:
    profile_id: str
    number: int


@dataclass(frozen=True, slots=True)
class ContactClass:
    """Whether a held delivery's contact is cold now."""

    delivery_id: str
    cold: bool


@dataclass(frozen=True, slots=True)
class ReadHour:
    """A local hour in which a recipient read or wrote."""

    package_id: str
    recipient: PersonKey
    hour: int = column("smallint")


@dataclass(frozen=True, slots=True)
class HourCount:
    recipient: PersonKey
    hour: int
    readings: int


@dataclass(frozen=True, slots=True)
class PackageHour(HourCount):
    package_id: str


# `CONTACT_WROTE`, `CONTACT_RELEASED` and `CONTACT_SETTLE` lock contacts in the order of their keys. Without an order,
# two of them could each hold a contact that the other waits for, and Postgres would end one with a deadlock.
CONTACT_WROTE = text(f"""
INSERT INTO pacer.contact AS known (profile_id, recipient, wrote_at)
SELECT profile_id, recipient, max(at)
FROM {unnest(ContactMessage, "wrote")} GROUP BY profile_id, recipient ORDER BY profile_id, recipient
ON CONFLICT (profile_id, recipient) DO UPDATE
SET wrote_at = greatest(known.wrote_at, excluded.wrote_at), unanswered = false""")

# Held deliveries to these contacts are not cold any more.
DELIVERY_WARM = text(f"""
UPDATE pacer.delivery SET cold = false
WHERE delivery_id = ANY (ARRAY(
    SELECT matching.delivery_id
    FROM {unnest(ContactKey, "known")}
    CROSS JOIN LATERAL (
        SELECT delivery_id FROM pacer.delivery
        WHERE delivery.profile_id = known.profile_id AND delivery.recipient = known.recipient
          AND state = 'held' AND cold OFFSET 0) AS matching)) AND {STILL_HELD} AND cold""")

READ_HOUR_COUNT = text(f"""
INSERT INTO pacer.habit AS known (package_id, recipient, hour, readings)
SELECT package_id, recipient, hour, count(*)
FROM {unnest(ReadHour, "reading")} GROUP BY package_id, recipient, hour ORDER BY package_id, recipient, hour
ON CONFLICT (package_id, recipient, hour) DO UPDATE
SET readings = known.readings + excluded.readings,
    touched_at = CASE WHEN known.touched_at < excluded.touched_at - interval '1 day' THEN excluded.touched_at
                      ELSE known.touched_at END""")
"""`touched_at` changes at most once a day, because its index would make each update more expensive."""

READ_HOURS = text("""
SELECT recipient, hour, readings FROM pacer.habit
WHERE package_id = :package_id AND recipient = ANY (CAST(:recipients AS text[]))""")

READ_HOURS_OF = text(f"""
{first_column("pacer.habit", "package_id")}
SELECT known.recipient, known.hour, known.readings, known.package_id FROM leads CROSS JOIN LATERAL (
    SELECT * FROM pacer.habit AS mine
    WHERE mine.package_id = leads.value AND mine.recipient = ANY (CAST(:recipients AS text[])) LIMIT 100) AS known""")
"""The read times of a recipient in all packages, and those of the whole packages."""

CONTACT_CLASS_CORRECT = text(f"""
UPDATE pacer.delivery SET cold = chosen.cold
FROM {unnest(ContactClass, "chosen")}
WHERE delivery.delivery_id = chosen.delivery_id AND {STILL_HELD}""")

CONTACT_RELEASED = text(f"""
INSERT INTO pacer.contact AS known (profile_id, recipient, opened_at, last_release, unanswered)
SELECT profile_id, recipient, CASE WHEN cold THEN CAST(:now AS timestamptz) END, :now, cold
FROM {unnest(ContactRelease, "released")}
ORDER BY profile_id, recipient
ON CONFLICT (profile_id, recipient) DO UPDATE
SET opened_at = coalesce(excluded.opened_at, known.opened_at), last_release = excluded.last_release,
    unanswered = known.unanswered OR excluded.unanswered""")

CONTACT_SETTLE = text(f"""
UPDATE pacer.contact SET opened_at = :now
FROM (
    SELECT opened.profile_id, opened.recipient
    FROM {unnest(ReleaseKey, "answered")}
    JOIN pacer.release ON release.profile_id = answered.profile_id AND release.number = answered.number AND release.cold
    JOIN pacer.contact AS opened ON opened.profile_id = release.profile_id AND opened.recipient = release.recipient
     AND opened.opened_at = release.released_at
    ORDER BY opened.profile_id, opened.recipient FOR UPDATE OF opened) AS locked
WHERE contact.profile_id = locked.profile_id AND contact.recipient = locked.recipient""")
"""The gateway has answered a release to a cold contact. From now on, the contact counts as opened at the time of this
answer, and not at the time of the release. The release itself is dated in the same way (`RELEASE_SETTLE`)."""
