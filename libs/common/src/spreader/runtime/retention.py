"""Retention: a loop that deletes old rows in batches, then sleeps."""

from collections.abc import Awaitable, Callable

from spreader.runtime.loop import Loop

DeleteBatch = Callable[[int], Awaitable[int]]
"""Deletes at most this many rows of each table; returns how many (of several tables: the largest number)."""


def retention_loop(name: str, delete: DeleteBatch, rows_max: int, every_seconds: float) -> Loop:
    """Calls `delete(rows_max)` again at once while batches are full, else every `every_seconds`.

    Batches keep transactions short: one large DELETE would hold its locks, and vacuum back, for minutes.
    """

    async def step() -> float:
        deleted = await delete(rows_max)
        return 0 if deleted >= rows_max else every_seconds

    return Loop(name, step)
