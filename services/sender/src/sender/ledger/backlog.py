"""Backlog gauges: how many deliveries of a lane are not settled, and how many events are not published."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from sender.metrics import OVERDUE_SECONDS, UNPUBLISHED, UNPUBLISHED_OLDEST, UNSETTLED
from spreader.contract.events import Lane
from spreader.runtime.postgres import autocommit
from spreader.runtime.rows import fetched

EVERY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class BacklogSize:
    unsettled: int
    overdue_seconds: float | None
    unpublished: int
    unpublished_seconds: float | None


@dataclass(frozen=True, slots=True)
class BacklogGauges:
    """Every instance measures the whole ledger, so a query must take the maximum over the instances, not the sum."""

    engine: AsyncEngine
    lane: Lane

    async def update(self) -> float:
        """Sets the gauges; returns the seconds until the next measurement."""
        async with autocommit(self.engine) as connection:
            size = fetched(BacklogSize, await connection.execute(BACKLOG_SIZE, {"lane": self.lane}))[0]
        UNSETTLED.labels(self.lane).set(size.unsettled)
        OVERDUE_SECONDS.labels(self.lane).set(max(size.overdue_seconds or 0, 0))  # negative: nothing is due yet
        UNPUBLISHED.labels(self.lane).set(size.unpublished)
        UNPUBLISHED_OLDEST.labels(self.lane).set(size.unpublished_seconds or 0)
        return EVERY_SECONDS


BACKLOG_SIZE = text("""
SELECT deliveries.unsettled, deliveries.overdue_seconds, events.unpublished, events.unpublished_seconds
FROM (SELECT count(*) AS unsettled,
             CAST(extract(epoch FROM clock_timestamp() - min(due_at)) AS float8) AS overdue_seconds
      FROM sender.delivery WHERE lane = :lane AND state <> 'settled') AS deliveries,
     (SELECT count(*) AS unpublished,
             CAST(extract(epoch FROM clock_timestamp() - min(settled_at)) AS float8) AS unpublished_seconds
      FROM sender.unpublished WHERE lane = :lane) AS events""")
