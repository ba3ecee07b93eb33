"""Retention: how long stats keeps its rows, and the statements that delete older ones in batches."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.clock import Now

MINUTES_KEPT = timedelta(days=14)
HOURS_KEPT = timedelta(days=731)

# The age of counts is system time. The rows of `_KEPT_DAYS` detect repeats, and match later receipts and answers. Their
# age is wall time, because repeats, receipts and answers come from real machines and people. They are kept for:
# - 15 days, because a gateway repeats its webhook calls for up to a week, and Kafka keeps their records for another.
# - 35 days, because a phone that was off for a month still sends its receipts.
# - 70 days, because a customer's message need not count as an answer when the last message between the profile and
#   this customer is older.
_KEPT = {
    **{f"stats.{table}": ("at", "minutes") for table in ("minute", "minute_failure")},
    **{f"stats.package_{table}": ("at", "minutes") for table in ("minute", "minute_failure")},
    **{f"stats.{table}": ("at", "hours") for table in ("hour", "hour_failure", "change")},
    **{f"stats.package_{table}": ("at", "hours") for table in ("hour", "hour_failure")},
    "stats.message": ("last_at", "hours"),
    "stats.alert": ("cleared_at", "hours"),
}
_KEPT_DAYS = {
    "stats.delivery": ("noted_at", 35),
    "stats.refusal": ("noted_at", 15),
    "stats.customer_message": ("noted_at", 15),
    "stats.contact": ("touched_at", 70),
}

_DELETE = (
    "DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} WHERE {column} < {before} "
    "LIMIT CAST(:rows_max AS int)))"
)


@dataclass(frozen=True, slots=True)
class Retention:
    engine: AsyncEngine
    now: Now

    async def delete_old(self, rows_max: int) -> int:
        """Delete at most `rows_max` old rows of each table, in one transaction for each table. Returns the largest
        number of rows that it deleted from one table."""
        now = self.now()
        before = {"minutes": now - MINUTES_KEPT, "hours": now - HOURS_KEPT}
        deleted: list[int] = []
        for table, (column, kept) in _KEPT.items():
            statement = _DELETE.format(table=table, column=column, before="CAST(:before AS timestamptz)")
            deleted.append(await self._delete(statement, rows_max=rows_max, before=before[kept]))
        for table, (column, days) in _KEPT_DAYS.items():
            statement = _DELETE.format(table=table, column=column, before=f"now() - interval '{days} days'")
            deleted.append(await self._delete(statement, rows_max=rows_max))
        return max(deleted)

    async def _delete(self, statement: str, **parameters: Any) -> int:
        async with self.engine.begin() as connection:
            return (await connection.execute(text(statement), parameters)).rowcount
