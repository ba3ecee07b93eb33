"""Erasures: the statements that remove an erased person from the pacer's tables.

Limits must still hold afterwards. So releases stay, and so do contacts that have not answered, but without the number.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from spreader.erasure.sql_removals import IS_NUMBER, OF_NUMBER, Removal, consent_removals, first_column
from spreader.runtime.rows import unnest

CANCELLED_BY_ERASURE = "the recipient was erased"


@dataclass(frozen=True, slots=True)
class ErasedRecipient:
    """`alias`: the id of an erasure, which takes the place of the number in the rows of its releases."""

    package_id: str
    recipient: str
    alias: str


@dataclass(frozen=True, slots=True)
class LastRelease:
    """When a limit stops counting the last release to an erased number."""

    package_id: str
    recipient: str
    counts_until: datetime


_REQUESTED_BEFORE = """EXISTS (
    SELECT FROM pacer.message
    WHERE message.message_id = mine.message_id AND message.requested_at <= CAST(:at AS timestamptz))"""

_AT_GATEWAY = f"""mine.delivery_id = ANY (ARRAY(
    SELECT release.delivery_id FROM pacer.package JOIN pacer.release USING (package_id)
    WHERE release.recipient {IS_NUMBER} AND release.effective_at = 'infinity'))"""
_ANSWERED = "(mine.effective_at < 'infinity' OR CAST(:overdue AS boolean))"

# A message that was requested after the erasure counts against the limits of the number under the number.
_IS_OLD = """NOT EXISTS (
    SELECT FROM pacer.delivery JOIN pacer.message USING (message_id)
    WHERE delivery.delivery_id = mine.delivery_id AND message.requested_at > CAST(:at AS timestamptz))"""

# The contact of a release in progress stays until the gateway has answered, because the answer dates the contact.
_NOT_AT_GATEWAY = f"""(CAST(:overdue AS boolean) OR NOT EXISTS (
    SELECT FROM pacer.release
    WHERE release.profile_id = mine.profile_id AND release.recipient {IS_NUMBER} AND effective_at = 'infinity'))"""
_SILENT = "coalesce(mine.wrote_at, '-infinity') <= CAST(:at AS timestamptz)"

REMOVALS = (
    Removal(
        "pacer.delivery",
        f"{OF_NUMBER} AND mine.state = 'held' AND {_REQUESTED_BEFORE}",
        f"""state = 'cancelled', announced = false, reason = '{CANCELLED_BY_ERASURE}', recipient = :erased,
            given = NULL, changed_at = clock_timestamp()""",
    ),
    Removal(
        "pacer.delivery",
        f"{OF_NUMBER} AND mine.state NOT IN ('held', 'released') AND {_REQUESTED_BEFORE}",
        "recipient = :erased, given = NULL",
    ),
    Removal(
        "pacer.delivery",
        f"CAST(:overdue AS boolean) AND {OF_NUMBER} AND mine.state = 'released' AND {_AT_GATEWAY}",
        "recipient = :erased, given = NULL",
    ),
    Removal(
        "pacer.contact",
        f"{OF_NUMBER} AND mine.unanswered AND {_SILENT} AND {_NOT_AT_GATEWAY}",
        # Each form of the number may have a contact, and the names of contacts are unique.
        "recipient = CAST(:alias AS text) || '/' || array_position(CAST(:numbers AS text[]), recipient)",
        lead="profile_id",
    ),
    Removal(
        "pacer.contact", f"{OF_NUMBER} AND NOT mine.unanswered AND {_SILENT} AND {_NOT_AT_GATEWAY}", lead="profile_id"
    ),
    Removal("pacer.release", f"{OF_NUMBER} AND {_ANSWERED} AND {_IS_OLD}", "recipient = :alias", lead="package_id"),
    Removal("pacer.habit", OF_NUMBER, lead="package_id"),
    *consent_removals("pacer"),
)

WAITS = (
    text(f"""
{first_column("pacer.release", "package_id")}
SELECT NOT CAST(:overdue AS boolean) AND EXISTS (
    SELECT FROM leads CROSS JOIN LATERAL (
        SELECT FROM pacer.release
        WHERE release.package_id = leads.value AND release.recipient {IS_NUMBER} AND effective_at = 'infinity'
        LIMIT 1) AS at_gateway)"""),
    text(f"SELECT EXISTS (SELECT FROM pacer.stopped_recipient WHERE recipient {IS_NUMBER})"),
)

LAST_RELEASES = text(f"""
SELECT erased.package_id, erased.recipient,
       max(least(release.effective_at, CAST(:answered_by AS timestamptz))) + interval '24 hours' AS counts_until
FROM {unnest(ErasedRecipient, "erased")}
JOIN pacer.release ON release.package_id = erased.package_id AND release.recipient IN (erased.recipient, erased.alias)
WHERE release.effective_at > CAST(:now AS timestamptz) - interval '24 hours'
GROUP BY erased.package_id, erased.recipient""")
"""`answered_by`: when the gateway will have answered every release that is in progress now."""
