"""Retention: a loop that deletes old rows in batches, then sleeps."""

from collections.abc import Awaitable, Callable

from spreader.runtime.loop import Loop

DeleteBatch = Callable[[int], Awaitable[int]]
"""Deletes at most this many rows of each table. Returns the largest number of rows that it deleted from one table."""


def retention_loop(name: str, delete: DeleteBatch, rows_max: int, every_seconds: float) -> Loop:
    """Calls `delete(rows_max)` every `every_seconds`, and again at once after a full batch.

    Batches keep transactions short. One large DELETE would hold its locks for minutes, and vacuum would have to wait.
    """

    async def step() -> float:
        deleted = await delete(rows_max)
        return 0 if deleted >= rows_max else every_seconds

    return Loop(name, step)
