"""Statements: the numbers behind hidden ids, and the messages of people whose number is not known."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from spreader.erasure.sql_condition import is_erased
from spreader.runtime.rows import columns


@dataclass(frozen=True, slots=True)
class HiddenMessage:
    """A report from a person whose number is not known. It is kept until the number is known. `report`: the kind of
    report, which is message, edit, unexpected, stop or resume. For stop and resume, `gateway_message_id` is the
    evidence of the person's choice."""

    package_id: str
    profile_id: str
    hidden_id: str
    gateway_message_id: str
    report: str
    kind: str
    text: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class HiddenMessageEntry:
    """A message of a person whose number is not known, as callers of the API see it."""

    profile_id: str
    hidden_id: str
    message_id: str
    kind: str
    text: str | None
    at: datetime


NUMBER = text("SELECT recipient FROM ingress.hidden_id WHERE profile_id = :profile_id AND hidden_id = :hidden_id")

LEARN = text(f"""
INSERT INTO ingress.hidden_id AS stored (profile_id, hidden_id, recipient)
SELECT :profile_id, :hidden_id, recipient FROM (SELECT CAST(:recipient AS text) AS recipient) AS new
WHERE NOT {is_erased("ingress", "new.recipient", "CAST(:at AS timestamptz)")}
ON CONFLICT (profile_id, hidden_id) DO UPDATE SET recipient = excluded.recipient, learned_at = clock_timestamp()
WHERE stored.recipient <> excluded.recipient OR stored.learned_at < clock_timestamp() - interval '30 days'""")
"""Stores the number behind a hidden id, unless the person was erased after the number was reported. If the same number
is reported again, `learned_at` is renewed, but at most once in 30 days. So a number that is still reported is not
deleted as old."""

KEEP = text(f"""
INSERT INTO ingress.hidden_message ({columns(HiddenMessage)})
VALUES (:package_id, :profile_id, :hidden_id, :gateway_message_id, :report, :kind, :text, :at)
ON CONFLICT DO NOTHING""")

KEPT = text(f"""
SELECT {columns(HiddenMessage)} FROM ingress.hidden_message
WHERE profile_id = :profile_id AND hidden_id = :hidden_id ORDER BY at, gateway_message_id""")

FORGET = text("""
DELETE FROM ingress.hidden_message
WHERE profile_id = :profile_id AND hidden_id = :hidden_id
  AND gateway_message_id = ANY (CAST(:gateway_message_ids AS text[]))""")

PAGE = text("""
SELECT profile_id, hidden_id, gateway_message_id AS message_id, kind, text, at FROM ingress.hidden_message
WHERE package_id = :package_id
  AND (profile_id, hidden_id, gateway_message_id) > (:profile_id, :hidden_id, :gateway_message_id)
ORDER BY profile_id, hidden_id, gateway_message_id LIMIT :limit""")

COUNT = text("SELECT count(*) FROM ingress.hidden_message")
