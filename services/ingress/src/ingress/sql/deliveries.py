"""Statements: lists of deliveries, filtered."""

from functools import cache

from sqlalchemy import TextClause, text

from ingress.sql.status import ACCEPTED_AT, SHOWN_COLUMNS

_PAGE = f"SELECT {SHOWN_COLUMNS} FROM ingress.delivery WHERE {{conditions}} ORDER BY {{order}} LIMIT :limit"
_NEWEST_FIRST = f"{ACCEPTED_AT} DESC, delivery_id DESC"
_CONDITIONS = {
    "message_ids": "message_id = ANY(CAST(:message_ids AS text[]))",
    "after": "delivery_id > :after",
    "before_at": f"({ACCEPTED_AT}, delivery_id) < (:before_at, :before_id)",
    "recipients": "recipient = ANY(CAST(:recipients AS text[]))",
    "package_ids": "package_id = ANY(CAST(:package_ids AS text[]))",
    "profile_ids": "profile_id = ANY(CAST(:profile_ids AS text[]))",
    "statuses": "status = ANY(CAST(:statuses AS text[]))",
    "failures": "failure = ANY(CAST(:failures AS text[]))",
    "accepted_from": f"{ACCEPTED_AT} >= :accepted_from",
    "accepted_to": f"{ACCEPTED_AT} < :accepted_to",
}


@cache
def page(filters: frozenset[str], *, of_message: bool) -> TextClause:
    """A page of deliveries. Those of one message are ordered by id, so that a page costs the same wherever it begins.
    All others are ordered by the time when their message was accepted, the newest first. `filters`: the names of the
    parameters that filter."""
    conditions = " AND ".join(each for name, each in _CONDITIONS.items() if name in filters) or "true"
    return text(_PAGE.format(conditions=conditions, order="delivery_id" if of_message else _NEWEST_FIRST))
