"""Maintenance: expires held deliveries, deletes old rows, and counts the queue."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from pacer.core.waiting_queue import PREFIX
from pacer.metrics import DUE, ENDED, HELD, WAITING
from pacer.sql import maintenance as sql
from pacer.sql.database_clock import system_now
from spreader.clock import Clock
from spreader.runtime.loop import Loop
from spreader.runtime.postgres import autocommit
from spreader.runtime.retention import retention_loop
from spreader.runtime.rows import fetched

ROWS_MAX = 2_000
EXPIRED_ROWS_MAX = 500
"""The most deliveries that one transaction expires."""
EXPIRE_EVERY_SECONDS = 1.0
DELETE_EVERY_SECONDS = 60.0
COUNT_EVERY_SECONDS = 5.0
COUNT_PAUSE_FACTOR = 20
"""The pause after a count is at least this many times as long as the count took."""


@dataclass(frozen=True)
class QueueMaintenance:
    engine: AsyncEngine
    clock: Clock
    wake_relay: Callable[[], None]

    def loops(self) -> Sequence[Loop]:
        return (
            Loop("expire", self.expire),
            retention_loop("forget", self.delete_old, ROWS_MAX, DELETE_EVERY_SECONDS),
            Loop("count the queue", self.count),
        )

    async def expire(self) -> float:
        """Expire one batch of the held deliveries whose time is over; returns the wall seconds until the next batch."""
        async with autocommit(self.engine) as connection:
            now = await system_now(connection, self.clock)
            expired = (await connection.execute(sql.EXPIRE, {"now": now, "rows": EXPIRED_ROWS_MAX})).rowcount
        if expired:
            ENDED.labels("expired").inc(expired)
            self.wake_relay()
        return 0 if expired == EXPIRED_ROWS_MAX else EXPIRE_EVERY_SECONDS

    async def delete_old(self, rows_max: int) -> int:
        """Delete at most `rows_max` old rows of each table; returns the largest number that it deleted from one
        table."""
        async with self.engine.begin() as connection:
            now = await system_now(connection, self.clock)
            rows = [
                (await connection.execute(statement, {"now": now, "rows": rows_max})).rowcount
                for statement in sql.DELETE_OLD
            ]
        return max(rows)

    async def count(self) -> float:
        """Set the gauges of the queue; returns the wall seconds until the next count."""
        began = time.monotonic()
        async with autocommit(self.engine) as connection:
            now = await system_now(connection, self.clock)
            (count,) = fetched(
                sql.QueueCount, await connection.execute(sql.QUEUE_COUNT, {"now": now, "waiting": PREFIX})
            )
        HELD.set(count.held)
        DUE.set(count.due)
        WAITING.set(count.waiting)
        return max(COUNT_EVERY_SECONDS, COUNT_PAUSE_FACTOR * (time.monotonic() - began))
