"""Erasures: the statements that remove an erased person from the router's tables."""

from spreader.erasure.sql_removals import OF_NUMBER, Removal, consent_removals

_SILENT = "coalesce(mine.customer_at, '-infinity') <= CAST(:at AS timestamptz)"
_NOT_WRITTEN_TO = "coalesce(mine.sent_at, '-infinity') <= CAST(:handled_at AS timestamptz)"
"""A message that was requested before the erasure may have been sent shortly after it."""

REMOVALS = (
    Removal("router.conversation", f"{OF_NUMBER} AND {_SILENT} AND {_NOT_WRITTEN_TO}", lead="package_id"),
    Removal(
        "router.conversation_move", f"{OF_NUMBER} AND mine.at <= CAST(:handled_at AS timestamptz)", lead="package_id"
    ),
    Removal(
        "router.routing",
        "mine.suppressed <> '{}' AND CAST(mine.suppressed AS jsonb) ?| CAST(:numbers AS text[])",
        """suppressed = regexp_replace(suppressed, CAST(:quoted AS text), '"' || CAST(:alias AS text) || '"', 'g')""",
    ),
    *consent_removals("router"),
)
