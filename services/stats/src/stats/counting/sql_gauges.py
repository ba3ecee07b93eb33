"""Statements of the gauges: what was sent when, and which alerts are open."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine


async def sent_since(engine: AsyncEngine, since: Mapping[str, datetime]) -> dict[str, list[datetime]]:
    """When each profile sent in the open lane after its moment, in order."""
    found: dict[str, list[datetime]] = {}
    if not since:
        return found
    asked = {"profiles": list(since), "moments": list(since.values())}
    async with engine.connect() as connection:
        for row in await connection.execute(_SENT, asked):
            found.setdefault(row.profile_id, []).append(row.sent_at)
    return found


async def alerts_by_kind(engine: AsyncEngine) -> dict[tuple[str, str], int]:
    """How many are not cleared, by kind and severity."""
    async with engine.connect() as connection:
        return {(row.kind, row.severity): row.alerts for row in await connection.execute(_ALERTS)}


_SENT = text("""
SELECT asked.profile_id, delivery.sent_at
FROM unnest(CAST(:profiles AS text[]), CAST(:moments AS timestamptz[])) AS asked (profile_id, moment)
JOIN stats.delivery ON delivery.profile_id = asked.profile_id AND lane = 'open' AND sent_at > asked.moment
ORDER BY 1, 2""")

_ALERTS = text("""
SELECT kind, severity, count(*) AS alerts FROM stats.alert WHERE cleared_at IS NULL GROUP BY kind, severity""")
