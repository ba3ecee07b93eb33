"""Statements that forget what is too old to matter, a bounded piece at a time."""

from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

ROWS_MAX = 10_000
MINUTES_KEPT = timedelta(days=14)
HOURS_KEPT = timedelta(days=731)

# Counts are of the system's time. What is there for repeats and for open questions ages by the wall, as they come from
# real machines and people. 8 days: longer than a record stays in its topic. 35: a phone that was off for a month still
# sends its receipts. 70: an answer to an open message after that is none.
_KEPT = {
    **{f"stats.{table}": ("at", "minutes") for table in ("minute", "minute_failure")},
    **{f"stats.package_{table}": ("at", "minutes") for table in ("minute", "minute_failure")},
    **{f"stats.{table}": ("at", "hours") for table in ("hour", "hour_failure", "change")},
    **{f"stats.package_{table}": ("at", "hours") for table in ("hour", "hour_failure")},
    "stats.message": ("last_at", "hours"),
    "stats.alert": ("cleared_at", "hours"),
}
_KEPT_BY_THE_WALL = {
    "stats.delivery": ("noted_at", 35),
    "stats.refusal": ("noted_at", 8),
    "stats.customer_message": ("noted_at", 8),
    "stats.contact": ("touched_at", 70),
}

_FORGET = (
    "DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} WHERE {column} < {before} "
    "LIMIT CAST(:rows_max AS int)))"
)


async def forget_old(engine: AsyncEngine, now: datetime) -> bool:
    """Each table by itself; answers whether there may be more."""
    before = {"minutes": now - MINUTES_KEPT, "hours": now - HOURS_KEPT}
    more = False
    for table, (column, kept) in _KEPT.items():
        statement = _FORGET.format(table=table, column=column, before="CAST(:before AS timestamptz)")
        more |= await _forget(engine, statement, {"before": before[kept]})
    for table, (column, days) in _KEPT_BY_THE_WALL.items():
        statement = _FORGET.format(table=table, column=column, before=f"now() - interval '{days} days'")
        more |= await _forget(engine, statement, {})
    return more


async def _forget(engine: AsyncEngine, statement: str, given: dict[str, datetime]) -> bool:
    async with engine.begin() as connection:
        result = await connection.execute(text(statement), {"rows_max": ROWS_MAX, **given})
    return result.rowcount == ROWS_MAX
