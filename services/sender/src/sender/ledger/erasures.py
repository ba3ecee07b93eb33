"""Erasures: the statements that remove an erased person from the sender's tables.

A delivery whose call has not begun is cancelled: its row, and what it was asked to send, get `ERASED` in place of the
number, and nothing is ever sent to that. A delivery whose call may have begun keeps the number until the gateway's
answer is known, because the gateway must be asked about it.
"""

from sqlalchemy import text

from spreader.erasure.sql_removals import IS_NUMBER, OF_NUMBER, Removal, consent_removals

_NAMES_IT = "~ CAST(:quoted AS text)"
_WITHOUT_IT = """regexp_replace(asked, CAST(:quoted AS text), '"' || CAST(:erased AS text) || '"', 'g')"""
_REQUESTED_BEFORE = "CAST(CAST(mine.asked AS jsonb) ->> 'requested_at' AS timestamptz) <= CAST(:at AS timestamptz)"

REMOVALS = (
    Removal(
        "sender.delivery",
        f"{OF_NUMBER} AND mine.state <> 'settled' AND {_REQUESTED_BEFORE}",
        f"""recipient = :erased,
            asked = CASE WHEN state = 'ready' THEN {_WITHOUT_IT} ELSE asked END""",
    ),
    Removal(
        "sender.delivery",
        f"{OF_NUMBER} AND mine.state = 'settled'",
        "recipient = :erased, gateway_message_id = NULL, heard = NULL",
    ),
    Removal("sender.number", f"mine.number {IS_NUMBER} OR mine.address {IS_NUMBER} AND mine.address <> mine.number"),
    *consent_removals("sender"),
)

WAITS = (
    text(f"""
SELECT NOT CAST(:overdue AS boolean) AND EXISTS (
    SELECT FROM sender.delivery
    WHERE state <> 'settled' AND recipient = :erased AND asked {_NAMES_IT})"""),
    text(f"SELECT EXISTS (SELECT FROM sender.unpublished WHERE body {_NAMES_IT})"),
)
