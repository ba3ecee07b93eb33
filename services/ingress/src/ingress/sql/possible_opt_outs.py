"""Statements: possible opt-outs."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from spreader.erasure.sql_condition import is_erased
from spreader.runtime.rows import columns


@dataclass(frozen=True, slots=True)
class PossibleOptOut:
    """A person, and the message that probably asks for no more messages. `profile_id`: the profile that got the
    message."""

    recipient: str
    profile_id: str
    text: str
    at: datetime


NOTE = text(f"""
INSERT INTO ingress.possible_opt_out AS stored (package_id, recipient, profile_id, text, evidence, at)
SELECT :package_id, recipient, :profile_id, :text, :evidence, at
FROM (SELECT CAST(:recipient AS text) AS recipient, CAST(:at AS timestamptz) AS at) AS new
WHERE NOT {is_erased("ingress", "new.recipient", "new.at")}
ON CONFLICT (package_id, recipient) DO UPDATE
SET profile_id = excluded.profile_id, text = excluded.text, evidence = excluded.evidence, at = excluded.at,
    decision = NULL, noted_at = clock_timestamp()
WHERE stored.evidence <> excluded.evidence AND stored.at <= excluded.at""")
"""Puts a person on the list, unless the person was erased after the message. A repeated report of the same message has
no effect, even after a decision."""

_OPEN = """
decision IS NULL AND NOT EXISTS (
    SELECT FROM ingress.consent
    WHERE consent.recipient = possible_opt_out.recipient AND consent.kind = 'suppression' AND consent.listed
      AND consent.package_id IN (possible_opt_out.package_id, '*'))"""
"""The condition of an entry that waits for a decision. If the person is suppressed already, no decision is needed."""

PAGE = text(f"""
SELECT {columns(PossibleOptOut)} FROM ingress.possible_opt_out
WHERE package_id = :package_id AND recipient > :after AND {_OPEN} ORDER BY recipient LIMIT :limit""")

OPEN_ENTRY = text("""
SELECT evidence FROM ingress.possible_opt_out
WHERE package_id = :package_id AND recipient = :recipient AND decision IS NULL""")

DECIDE = text("""
UPDATE ingress.possible_opt_out SET decision = :decision
WHERE package_id = :package_id AND recipient = :recipient AND evidence = :evidence AND decision IS NULL""")

COUNT_OPEN = text(f"SELECT count(*) FROM ingress.possible_opt_out WHERE {_OPEN}")
