"""Hearing: reading what was written before a request, before the request is decided."""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from typing import Protocol

STEP_SECONDS = 0.005


class ReadProgress(Protocol):
    """How far a service has read a topic."""

    async def ends(self, topic: str, partitions: Iterable[int]) -> dict[int, int]: ...
    async def has_read(self, topic: str, ends: Mapping[int, int]) -> bool: ...


async def wait_until_consumed(progress: ReadProgress, topic: str, partitions: Iterable[int], seconds: float) -> bool:
    """Wait until all that the partitions hold now is read, `seconds` at most; answers whether it is."""
    ends = await progress.ends(topic, partitions)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not await progress.has_read(topic, ends):  # noqa: ASYNC110 - the reader may be another process
                await asyncio.sleep(STEP_SECONDS)
            return True
    return False
