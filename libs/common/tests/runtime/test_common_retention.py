"""Retention: batches follow each other while they are full, then the loop sleeps."""

import asyncio

from spreader.runtime.retention import retention_loop


async def test_full_batches_follow_at_once_and_a_partial_one_ends_the_run() -> None:
    left, batches = 25, list[int]()
    done = asyncio.Event()

    async def delete(rows_max: int) -> int:
        nonlocal left
        batches.append(min(left, rows_max))
        left -= batches[-1]
        if not left:
            done.set()
        return batches[-1]

    loop = retention_loop("old things", delete, rows_max=10, every_seconds=3600)
    await loop.start()
    await asyncio.wait_for(done.wait(), 5)
    await asyncio.sleep(0.05)
    await loop.stop()
    assert batches == [10, 10, 5]
