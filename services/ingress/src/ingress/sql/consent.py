"""Statements: suppressions and opt-ins."""

from dataclasses import dataclass
from datetime import datetime

from pydantic import ConfigDict
from sqlalchemy import text

from spreader.contract.events import ConsentKind, may_lack_recipient_key
from spreader.contract.ids import ERASED
from spreader.erasure.sql_condition import is_erased
from spreader.phone.canonical import PersonKey
from spreader.runtime.rows import columns, unnest


@dataclass(frozen=True, slots=True)
class ConsentListEntry:
    """A recipient on a list. `recipient_key`: the key of the recipient, if it differs from `recipient`.

    `evidence` identifies the customer's message or choice that put the recipient on the list. It is None if a caller of
    the API put the recipient there.
    """

    recipient: str
    since: datetime
    source: str
    evidence: str | None
    recipient_key: str | None = None

    __pydantic_config__ = ConfigDict(json_schema_extra=may_lack_recipient_key)


@dataclass(frozen=True, slots=True)
class ConsentListing:
    """A suppression or opt-in list that contains the recipient."""

    recipient: str
    kind: ConsentKind


@dataclass(frozen=True, slots=True)
class Suppression:
    package_id: str
    since: datetime
    source: str


@dataclass(frozen=True, slots=True)
class AddedNumber:
    """A number as it was given, and the key of its person."""

    recipient: PersonKey
    given: str


@dataclass(frozen=True, slots=True)
class ConsentEntryKey:
    package_id: str
    kind: ConsentKind
    recipient: str


@dataclass(frozen=True, slots=True)
class UnpublishedConsent(ConsentEntryKey):
    """An entry whose last change is not yet published."""

    given: str | None
    listed: bool
    since: datetime
    source: str


# `recipient` is the key of a person, and `given` is the number as it was given, if it differs. An instance of a version
# before decision 0058 stores the number as it was given in `recipient`. So a person's entries are found by every
# spelling.
# Each change of an entry gets a later time than the change before it, even if the clocks of instances and gateways
# differ. This is needed because readers ignore a change that is older than the change that they have.
_LATER = "greatest({}, {}.since + interval '1 microsecond')"
_NOW = _LATER.format("CAST(:now AS timestamptz)", "consent")

# A new entry gets a time after every erasure, because other services accept an entry of an erased person only if it is
# later than the erasure. The present time may be too early, because the clock of the instance that noted the erasure
# may be ahead.
_AFTER_ERASURES = """
greatest(CAST(:now AS timestamptz), (SELECT max(at) + interval '1 microsecond' FROM ingress.erasure))"""
_IS_FORGOTTEN = is_erased(
    "ingress", "added.recipient", "CAST(:reported_at AS timestamptz)", "AND NOT erasure.keep_suppression"
)

ADD = text(f"""
INSERT INTO ingress.consent AS stored (package_id, kind, recipient, given, listed, since, source, evidence)
SELECT :package_id, :kind, recipient, nullif(given, recipient), true,
       coalesce(CAST(:since AS timestamptz), {_AFTER_ERASURES}), :source, :evidence
FROM {unnest(AddedNumber, "added")}
WHERE recipient <> '{ERASED}' AND (CAST(:reported_at AS timestamptz) IS NULL OR NOT {_IS_FORGOTTEN})
ORDER BY recipient
ON CONFLICT (package_id, kind, recipient) DO UPDATE
SET listed = true, given = excluded.given, since = {_LATER.format("excluded.since", "stored")},
    source = excluded.source, evidence = coalesce(excluded.evidence, stored.evidence), announced = false,
    changed_at = clock_timestamp()
WHERE NOT stored.listed AND (excluded.evidence IS NULL OR stored.evidence IS DISTINCT FROM excluded.evidence)""")
"""Adds recipients to a list. Recipients who are on the list already are skipped. After an entry was removed, a repeated
report of the same evidence does not add the entry again. If an opt-out was reported before the person was erased, it is
added only if the erasure kept suppressions."""
REMOVE = text(f"""
UPDATE ingress.consent
SET listed = false, since = {_NOW}, source = 'api', announced = false, changed_at = clock_timestamp()
WHERE package_id = :package_id AND kind = :kind AND recipient = ANY (CAST(:recipients AS text[])) AND listed""")
REMOVE_GATEWAY_ENTRY = text(f"""
UPDATE ingress.consent
SET listed = false, since = {_NOW}, announced = false, changed_at = clock_timestamp()
WHERE package_id = :package_id AND kind = :kind AND recipient = ANY (CAST(:recipients AS text[])) AND listed
  AND source = 'gateway' AND since <= :requested_at""")
SUPPRESSIONS = text("""
SELECT package_id, since, source FROM ingress.consent
WHERE recipient = ANY (CAST(:recipients AS text[])) AND kind = 'suppression' AND listed ORDER BY package_id""")
"""The suppressions of a recipient in all packages."""
PAGE = text("""
SELECT coalesce(given, recipient) AS recipient, since, source, evidence,
       CASE WHEN given IS NOT NULL THEN recipient END AS recipient_key
FROM ingress.consent
WHERE package_id = :package_id AND kind = :kind AND listed AND consent.recipient > :after
  AND (CAST(:recipients AS text[]) IS NULL OR consent.recipient = ANY (CAST(:recipients AS text[])))
ORDER BY consent.recipient LIMIT :limit""")
LISTINGS = text("""
SELECT consent.recipient, consent.kind
FROM unnest(CAST(:recipients AS text[])) AS given (recipient) JOIN ingress.consent USING (recipient)
WHERE consent.package_id IN (:package_id, '*') AND consent.kind = ANY (CAST(:kinds AS text[])) AND consent.listed""")

_UNPUBLISHED = f"SELECT {columns(UnpublishedConsent)} FROM ingress.consent WHERE NOT announced"
UNPUBLISHED = text(f"""
{_UNPUBLISHED} AND package_id = :package_id AND kind = :kind AND recipient = ANY (CAST(:recipients AS text[]))
ORDER BY recipient FOR UPDATE""")
LEFT_OVER = text(f"""
{_UNPUBLISHED}
AND changed_at < clock_timestamp() - interval '5 seconds' ORDER BY changed_at LIMIT :limit FOR UPDATE SKIP LOCKED""")
"""Changes that have been unpublished for 5 seconds. A request publishes its changes right after it has stored them, so
either the request failed or a republication marked the entries as unpublished."""
MARK_PUBLISHED = text(f"""
UPDATE ingress.consent SET announced = true
FROM {unnest(ConsentEntryKey, "published")}
WHERE (consent.package_id, consent.kind, consent.recipient)
    = (published.package_id, published.kind, published.recipient)""")
