"""Maintenance: expires held deliveries, deletes old rows, and counts the queue."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from pacer.metrics import ENDED
from pacer.release.queue_count import QueueCounter
from pacer.release.releasable_count import ReleasableCounter
from pacer.sql import maintenance as sql
from pacer.sql.database_clock import system_now
from pacer.sql.spellings import MERGES
from spreader.clock import Clock
from spreader.runtime.loop import Loop
from spreader.runtime.postgres import autocommit
from spreader.runtime.retention import Retention, retention_loop
from spreader.runtime.sql_spelling_merge import spelling_loop

EXPIRED_ROWS_MAX = 500
"""The most deliveries that one transaction expires."""
EXPIRE_EVERY_SECONDS = 1.0


@dataclass(frozen=True)
class QueueMaintenance:
    """`keep_contacts`: how long the pacer remembers contacts and read times after their last change.
    `stale_reason`: why nothing may be released now; None if releases are allowed."""

    engine: AsyncEngine
    clock: Clock
    wake_relay: Callable[[], None]
    keep_contacts: timedelta = timedelta(days=180)
    stale_reason: Callable[[], str | None] = lambda: None

    def loops(self) -> Sequence[Loop]:
        return (
            Loop("expire", self.expire),
            retention_loop("forget", self.retention().delete_old),
            Loop("count the queue", QueueCounter(self.engine, self.clock).count),
            Loop("count what may be released", ReleasableCounter(self.engine, self.clock, self.stale_reason).count),
            spelling_loop(self.engine, MERGES),
        )

    def retention(self) -> Retention:
        return Retention(self.engine, self.clock, lambda: sql.old_rows(self.keep_contacts))

    async def expire(self) -> float:
        """Expire one batch of the held deliveries whose time is over; returns the wall seconds until the next batch."""
        async with autocommit(self.engine) as connection:
            now = await system_now(connection, self.clock)
            expired = (await connection.execute(sql.EXPIRE, {"now": now, "rows": EXPIRED_ROWS_MAX})).rowcount
        if expired:
            ENDED.labels("expired").inc(expired)
            self.wake_relay()
        return 0 if expired == EXPIRED_ROWS_MAX else EXPIRE_EVERY_SECONDS
