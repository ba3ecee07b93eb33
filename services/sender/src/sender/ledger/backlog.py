"""Backlog: how much of a lane the ledger holds that has no end, and how much was decided and is not published."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from sender.metrics import OVERDUE_SECONDS, UNPUBLISHED, UNPUBLISHED_OLDEST, UNSETTLED
from spreader.contract.events import Lane

EVERY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Backlog:
    """Each instance looks at all of it: readers of the metrics take the greatest, not the sum."""

    engine: AsyncEngine
    lane: Lane

    async def turn(self) -> float:
        async with self.engine.connect() as connection:
            row = (await connection.execute(BACKLOG, {"lane": self.lane})).one()
        UNSETTLED.labels(self.lane).set(row.unsettled)
        OVERDUE_SECONDS.labels(self.lane).set(max(row.overdue_seconds or 0, 0))
        UNPUBLISHED.labels(self.lane).set(row.unpublished)
        UNPUBLISHED_OLDEST.labels(self.lane).set(row.unpublished_seconds or 0)
        return EVERY_SECONDS


BACKLOG = text("""
SELECT held.unsettled, held.overdue_seconds, told.unpublished, told.unpublished_seconds
FROM (SELECT count(*) AS unsettled,
             CAST(extract(epoch FROM clock_timestamp() - min(due_at)) AS float8) AS overdue_seconds
      FROM sender.delivery WHERE lane = :lane AND state <> 'settled') AS held,
     (SELECT count(*) AS unpublished,
             CAST(extract(epoch FROM clock_timestamp() - min(settled_at)) AS float8) AS unpublished_seconds
      FROM sender.unpublished WHERE lane = :lane) AS told""")
