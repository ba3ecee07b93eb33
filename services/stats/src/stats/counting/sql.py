"""Statements about counts: sums by minute and hour, deliveries, contacts, and the windows over them."""

from collections.abc import Mapping

from sqlalchemy import TextClause, text

from spreader.runtime.rows import columns, unnest
from stats.core.contacts import ContactHistory
from stats.core.sums import KINDS, hour_of, minute_of
from stats.core.tally import Marks
from stats.counting.rows import (
    ContactKeyRow,
    ContactRow,
    CustomerMessageRow,
    DeliveryMarksRow,
    MessageCountRow,
    PackageCountRow,
    PackageFailureRow,
    ProfileCountRow,
    ProfileFailureRow,
    SentDeliveryRow,
    SinceRow,
    StartOf,
)

PROFILE_TABLES: Mapping[str, StartOf] = {"minute": minute_of, "hour": hour_of}
PACKAGE_TABLES: Mapping[str, StartOf] = {"package_minute": minute_of, "package_hour": hour_of}
"""The tables of counts. Their column `at` is the start of the minute or of the hour."""

SUMS = ", ".join(f"coalesce(sum({kind}), 0) AS {kind}" for kind in KINDS)
SENT_OPEN = "coalesce(sum(sent) FILTER (WHERE lane = 'open'), 0) AS sent_open"

_ADDED = ", ".join(f"{kind} = known.{kind} + excluded.{kind}" for kind in KINDS)


def _add(table: str, row: type, key: str, update: str) -> TextClause:
    return text(f"""
INSERT INTO stats.{table} AS known ({columns(row)})
SELECT {columns(row)} FROM {unnest(row, "new")}
ON CONFLICT ({key}) DO UPDATE SET {update}""")


_COUNT = "count = known.count + excluded.count"

ADD_COUNTS = {
    **{table: _add(table, ProfileCountRow, "profile_id, at, lane", _ADDED) for table in PROFILE_TABLES},
    **{table: _add(table, PackageCountRow, "package_id, at, lane", _ADDED) for table in PACKAGE_TABLES},
}
ADD_FAILURES = {
    **{
        table: _add(f"{table}_failure", ProfileFailureRow, "profile_id, at, lane, failure", _COUNT)
        for table in PROFILE_TABLES
    },
    **{
        table: _add(f"{table}_failure", PackageFailureRow, "package_id, at, lane, failure", _COUNT)
        for table in PACKAGE_TABLES
    },
}
ADD_MESSAGES = _add(
    "message",
    MessageCountRow,
    "message_id, profile_id, lane",
    f"""{_ADDED},
    first_at = least(known.first_at, excluded.first_at), last_at = greatest(known.last_at, excluded.last_at)""",
)

# The day and shorter windows are summed from minutes. The rest of the week is summed from whole hours, except the
# incomplete hour at its beginning. This hour is summed from minutes too.
_SPANS = """(VALUES ('hour', CAST(:hour AS timestamptz)), ('two_hours', CAST(:two_hours AS timestamptz)),
      ('three_hours', CAST(:three_hours AS timestamptz)), ('day', CAST(:day AS timestamptz)),
      ('week', CAST(:last AS timestamptz) - interval '1 minute')) AS span (name, after) ON at > span.after"""
_MINE = "profile_id = ANY(CAST(:profiles AS text[]))"
_NOW = "at >= CAST(:last AS timestamptz) AND at <= CAST(:until AS timestamptz)"
_FAR_END = "at > CAST(:week AS timestamptz) AND at < CAST(:first AS timestamptz)"
_BETWEEN = "at >= CAST(:first AS timestamptz) AND at < CAST(:last AS timestamptz)"

WINDOWS = text(f"""
SELECT profile_id, span.name AS span, {SUMS}, {SENT_OPEN} FROM stats.minute JOIN {_SPANS}
WHERE {_MINE} AND {_NOW} GROUP BY profile_id, span.name
UNION ALL SELECT profile_id, 'week', {SUMS}, {SENT_OPEN} FROM stats.minute WHERE {_MINE} AND {_FAR_END}
GROUP BY profile_id
UNION ALL SELECT profile_id, 'week', {SUMS}, {SENT_OPEN} FROM stats.hour WHERE {_MINE} AND {_BETWEEN}
GROUP BY profile_id""")

FAILURES = text(f"""
SELECT profile_id, span.name AS span, failure, sum(count) AS number FROM stats.minute_failure JOIN {_SPANS}
WHERE {_MINE} AND {_NOW} GROUP BY profile_id, span.name, failure
UNION ALL SELECT profile_id, 'week', failure, sum(count) FROM stats.minute_failure WHERE {_MINE} AND {_FAR_END}
GROUP BY profile_id, failure
UNION ALL SELECT profile_id, 'week', failure, sum(count) FROM stats.hour_failure WHERE {_MINE} AND {_BETWEEN}
GROUP BY profile_id, failure""")


ENSURE_DELIVERIES = text("""
INSERT INTO stats.delivery (delivery_id, marks)
SELECT delivery_id, 0 FROM unnest(CAST(:deliveries AS text[])) AS delivery_id
ON CONFLICT DO NOTHING""")

LOCK_DELIVERIES = text("""
SELECT delivery_id, marks, profile_id, package_id, lane, sent_at FROM stats.delivery
WHERE delivery_id = ANY(CAST(:deliveries AS text[])) ORDER BY delivery_id FOR UPDATE""")

MARK_DELIVERIES = text(f"""
UPDATE stats.delivery SET marks = new.marks,
    waits = waits AND new.marks & {int(Marks.ACKNOWLEDGED | Marks.FAILED)} = 0
FROM {unnest(DeliveryMarksRow, "new")}
WHERE delivery.delivery_id = new.delivery_id""")

SAVE_SENT_DELIVERIES = text(f"""
UPDATE stats.delivery SET marks = new.marks,
    profile_id = new.profile_id, package_id = new.package_id, message_id = new.message_id,
    lane = new.lane, sent_at = new.sent_at, heard_at = now(), waits = new.waits, fingerprint = new.fingerprint,
    is_new = new.is_new, receives = new.receives
FROM {unnest(SentDeliveryRow, "new")}
WHERE delivery.delivery_id = new.delivery_id""")

NOTE_REFUSALS = text("""
INSERT INTO stats.refusal (event_id) SELECT event_id FROM unnest(CAST(:events AS text[])) AS event_id
ON CONFLICT DO NOTHING RETURNING event_id""")

NOTE_CUSTOMER_MESSAGES = text(f"""
INSERT INTO stats.customer_message ({columns(CustomerMessageRow)})
SELECT {columns(CustomerMessageRow)} FROM {unnest(CustomerMessageRow, "new")}
ON CONFLICT DO NOTHING RETURNING {columns(CustomerMessageRow)}""")

_CONTACT_KEYS = unnest(ContactKeyRow, "key")

ENSURE_CONTACTS = text(f"""
INSERT INTO stats.contact (profile_id, recipient) SELECT profile_id, recipient FROM {_CONTACT_KEYS}
ON CONFLICT DO NOTHING""")

LOCK_CONTACTS = text(f"""
SELECT {columns(ContactRow)}
FROM stats.contact JOIN {_CONTACT_KEYS} USING (profile_id, recipient)
ORDER BY profile_id, recipient FOR UPDATE OF contact""")

SAVE_CONTACTS = text(f"""
UPDATE stats.contact SET {", ".join(f"{name} = new.{name}" for name in columns(ContactHistory).split(", "))},
    touched_at = CASE WHEN contact.touched_at < now() - interval '1 day' THEN now() ELSE contact.touched_at END
FROM {unnest(ContactRow, "new")}
WHERE contact.profile_id = new.profile_id AND contact.recipient = new.recipient""")
"""`touched_at` changes at most once a day, because its index would make each update more expensive."""

SENT_SINCE = text(f"""
SELECT wanted.profile_id, delivery.sent_at
FROM {unnest(SinceRow, "wanted")}
JOIN stats.delivery ON delivery.profile_id = wanted.profile_id AND lane = 'open' AND sent_at > wanted.since
ORDER BY 1, 2""")
