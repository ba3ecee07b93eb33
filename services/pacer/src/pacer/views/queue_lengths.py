"""Queue lengths: how much each profile holds.

A short queue is counted when it is asked for. A long one is counted now and then by a loop, and its last count is kept,
because the time of such a count grows with the queue.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from pacer.sql import queue_lengths as sql
from spreader.runtime.rows import fetched

EXACT_MAX = 1_000
"""A queue up to this length is counted exactly when it is asked for."""
COUNTED_MAX = 100_000
"""Longer queues count as this long."""
COUNT_EVERY_SECONDS = 10.0
"""The least wall time between two counts of the same queue."""
PAUSE_FACTOR = 4
"""The pause after a count is at least this many times as long as the count took."""
IDLE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class QueueLengths:
    engine: AsyncEngine

    async def of(self, profile_ids: Sequence[str]) -> dict[str, sql.QueueLength]:
        """The queue length of each profile, by profile id. A queue that has just become long counts as `EXACT_MAX` + 1
        until the loop has counted it."""
        if not profile_ids:
            return {}
        async with self.engine.begin() as connection:
            await connection.execute(sql.IN_QUEUE_ORDER)
            params = {"profile_ids": list(profile_ids), "exact_max": EXACT_MAX}
            rows = fetched(sql.QueueLength, await connection.execute(sql.QUEUE_LENGTHS, params))
            if new := [row.profile_id for row in rows if not row.is_counted]:
                await connection.execute(sql.LONG_QUEUE_INSERT, {"profile_ids": new})
        return {row.profile_id: row for row in rows}

    async def count_one(self) -> float:
        """Count the long queue whose count is the oldest; returns the wall seconds until the next call."""
        began = time.monotonic()
        async with self.engine.begin() as connection:
            every = {"every_seconds": COUNT_EVERY_SECONDS}
            profile_id = (await connection.execute(sql.LONG_QUEUE_NEXT, every)).scalar_one_or_none()
            if profile_id is None:
                return IDLE_SECONDS
            params = {"profile_id": profile_id, "count_max": COUNTED_MAX}
            await connection.execute(sql.LONG_QUEUE_COUNT, params)
            await connection.execute(sql.LONG_QUEUE_DELETE, {"profile_id": profile_id, "exact_max": EXACT_MAX})
        return PAUSE_FACTOR * (time.monotonic() - began)
