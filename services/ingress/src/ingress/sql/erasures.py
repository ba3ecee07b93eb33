"""Statements: erasures of persons, the rows that an erasure removes from the ingress's tables, and what is known about
a person."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import text

from spreader.contract.events import ConsentKind, RecipientErased, Status
from spreader.erasure.sql_removals import IS_NUMBER, OF_NUMBER, Removal
from spreader.runtime.rows import columns, unnest


@dataclass(frozen=True, slots=True)
class StoredErasure:
    erasure_id: str
    at: datetime
    keep_suppression: bool
    asked_by: str | None


@dataclass(frozen=True, slots=True)
class ServiceReport:
    """What a service has removed. `rows`: how many rows of each table."""

    service: str
    at: datetime
    rows: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class NewReport:
    erasure_id: str
    service: str
    rows: str
    """A JSON object."""
    at: datetime


@dataclass(frozen=True, slots=True)
class KnownConsent:
    """A suppression or opt-in list that contains a number."""

    package_id: str
    kind: ConsentKind
    since: datetime
    source: str


@dataclass(frozen=True, slots=True)
class KnownPossibleOptOut:
    """A message in which the person may have asked for no more messages. `profile_id`: the profile that got the
    message. `decision` is None until an operator has decided."""

    package_id: str
    profile_id: str
    text: str
    at: datetime
    decision: str | None


@dataclass(frozen=True, slots=True)
class KnownHiddenId:
    """An id under which the person writes to a profile without showing the number."""

    profile_id: str
    hidden_id: str


@dataclass(frozen=True, slots=True)
class KnownDeliveries:
    """The deliveries of a number in one status. `first_at`: when the first message of these deliveries was accepted.
    `last_at`: when any of these deliveries last changed."""

    status: Status
    deliveries: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class ConsentKey:
    package_id: str
    kind: ConsentKind
    recipient: str


_AT = "CAST(:at AS timestamptz)"
_NOT_REQUESTED_LATER = f"""NOT EXISTS (
    SELECT FROM ingress.message WHERE message.message_id = mine.message_id AND message.accepted_at > {_AT})"""

_ONLY_TO_PERSON = f"""mine.message_id = ANY (ARRAY(
    SELECT delivery.message_id FROM ingress.delivery WHERE delivery.recipient {IS_NUMBER}))
    AND mine.recipients = 1 AND (mine.content IS NOT NULL OR mine.name IS NOT NULL)"""
"""Messages to this person alone, so that their words may be about the person."""

REMOVALS = (
    # Before its delivery, by which the message is found.
    Removal("ingress.message", f"{_ONLY_TO_PERSON} AND mine.accepted_at <= {_AT}", "content = NULL, name = NULL"),
    # The gateway message id is removed too, because it may contain the number. The ids of the Cloud API do.
    Removal(
        "ingress.delivery",
        f"{OF_NUMBER} AND (mine.stage > 0 OR CAST(:overdue AS boolean)) AND {_NOT_REQUESTED_LATER}",
        "recipient = :erased, gateway_message_id = NULL",
    ),
    Removal("ingress.possible_opt_out", f"{OF_NUMBER} AND mine.at <= {_AT}"),
    Removal("ingress.hidden_id", OF_NUMBER),
    Removal("ingress.receipt_waiting", f"{OF_NUMBER} AND mine.at <= CAST(:handled_at AS timestamptz)"),
    Removal(
        "ingress.consent",
        f"""{OF_NUMBER} AND mine.since <= {_AT} AND mine.kind = 'suppression' AND mine.listed
        AND CAST(:keep_suppression AS boolean) AND mine.evidence IS NOT NULL""",
        "evidence = NULL",
    ),
    Removal(
        "ingress.outbox",
        f"mine.refusal IS NOT NULL AND mine.topic <> '{RecipientErased.topic}' AND mine.body ~ CAST(:quoted AS text)",
        """body = regexp_replace(body, CAST(:quoted AS text), '"' || CAST(:erased AS text) || '"', 'g')""",
    ),
)
WAITS = (
    text(f"""
SELECT NOT CAST(:overdue AS boolean) AND EXISTS (
    SELECT FROM ingress.delivery AS mine WHERE {OF_NUMBER} AND {_NOT_REQUESTED_LATER})"""),
    text("SELECT EXISTS (SELECT FROM ingress.outbox WHERE refusal IS NULL AND body ~ CAST(:quoted AS text))"),
)
"""What an erasure waits for: the person's deliveries that have not ended, and outbox records that are not published
yet."""

ERASABLE_CONSENTS = text(f"""
SELECT {columns(ConsentKey)} FROM ingress.consent
WHERE recipient {IS_NUMBER} AND since <= {_AT}
  AND NOT (kind = 'suppression' AND listed AND CAST(:keep_suppression AS boolean))
ORDER BY package_id, kind LIMIT :rows FOR UPDATE""")
DELETE_CONSENTS = text(f"""
DELETE FROM ingress.consent USING {unnest(ConsentKey, "gone")}
WHERE consent.package_id = gone.package_id AND consent.kind = gone.kind AND consent.recipient = gone.recipient""")

SET_ASKED_BY = text("UPDATE ingress.erasure SET asked_by = :asked_by WHERE erasure_id = :erasure_id")
NEWEST = text(f"""
SELECT {columns(StoredErasure)} FROM ingress.erasure
WHERE hashes && CAST(:hashes AS text[]) ORDER BY at DESC, erasure_id DESC LIMIT 1""")
REPORTS = text(f"""
SELECT {columns(ServiceReport)} FROM ingress.erasure_report WHERE erasure_id = :erasure_id ORDER BY service""")
KEEP_REPORTS = text(f"""
INSERT INTO ingress.erasure_report (erasure_id, service, rows, at)
SELECT erasure.erasure_id, new.service, CAST(new.rows AS jsonb), new.at
FROM {unnest(NewReport, "new")} JOIN ingress.erasure ON erasure.erasure_id = new.erasure_id
ORDER BY erasure.erasure_id, new.service ON CONFLICT DO NOTHING""")
"""A report is dropped if the record of its erasure was deleted already."""
UNREPORTED = text("""
SELECT CAST(coalesce(extract(epoch FROM clock_timestamp() - min(noted_at)), 0) AS float8) FROM ingress.erasure
WHERE noted_at > clock_timestamp() - interval '35 days'
  AND (SELECT count(*) FROM ingress.erasure_report
       WHERE erasure_report.erasure_id = erasure.erasure_id) < CAST(:services AS bigint)""")
"""The age in seconds of the oldest erasure for which a service's report is missing, or 0 if none is missing. Erasures
that are older than 35 days do not count."""

KNOWN_CONSENTS = text(f"""
SELECT {columns(KnownConsent)} FROM ingress.consent WHERE recipient {IS_NUMBER} AND listed
ORDER BY kind, package_id""")
KNOWN_POSSIBLE_OPT_OUTS = text(f"""
SELECT {columns(KnownPossibleOptOut)} FROM ingress.possible_opt_out WHERE recipient {IS_NUMBER} ORDER BY package_id""")
KNOWN_HIDDEN_IDS = text(f"""
SELECT {columns(KnownHiddenId)} FROM ingress.hidden_id WHERE recipient {IS_NUMBER} ORDER BY profile_id, hidden_id""")
KNOWN_DELIVERIES = text(f"""
SELECT delivery.status, count(*) AS deliveries, min(coalesce(message.accepted_at, delivery.at)) AS first_at,
       max(delivery.at) AS last_at
FROM ingress.delivery LEFT JOIN ingress.message USING (message_id)
WHERE delivery.recipient {IS_NUMBER} GROUP BY delivery.status""")
