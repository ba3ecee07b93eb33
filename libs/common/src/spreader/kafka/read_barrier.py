"""Read barrier: waits until a group has consumed everything that was in a topic when the wait began."""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from typing import Protocol

POLL_SECONDS = 0.005


class ReadProgress(Protocol):
    """How far a consumer group has read a topic (`spreader.kafka.group_progress`)."""

    async def ends(self, topic: str, partitions: Iterable[int]) -> dict[int, int]: ...
    async def has_read(self, topic: str, ends: Mapping[int, int]) -> bool: ...


async def wait_until_consumed(progress: ReadProgress, topic: str, partitions: Iterable[int], seconds: float) -> bool:
    """Wait until every record that is now in the partitions is consumed, but at most `seconds`. Returns whether all
    are."""
    ends = await progress.ends(topic, partitions)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not await progress.has_read(topic, ends):  # noqa: ASYNC110 - the reader may be another process
                await asyncio.sleep(POLL_SECONDS)
            return True
    return False
