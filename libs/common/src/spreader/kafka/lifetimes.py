"""Lifetimes: how Kafka clients are started and closed, each within a bound.

aiokafka waits for a broker that accepts connections but does not answer, in some places without an end.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger()

START_SECONDS = 15.0
JOIN_SECONDS = 90.0
"""A member of a group waits for the others, at most for REBALANCE_TIMEOUT_MS."""
CLOSE_SECONDS = 5.0


async def started(
    start: Awaitable[object], close: Callable[[], Awaitable[object]], seconds: float = START_SECONDS
) -> None:
    """Wait for `start`. If it fails or takes longer than `seconds`, close what is half started and raise."""
    try:
        async with asyncio.timeout(seconds):
            await start
    except BaseException:
        await closed(close())
        raise


async def closed(close: Awaitable[object], seconds: float = CLOSE_SECONDS) -> None:
    """Wait for `close` for at most `seconds`. What is not closed then is left behind, and so is an error."""
    try:
        async with asyncio.timeout(seconds):
            await close
    except Exception as error:
        log.warning("cannot close a Kafka client; leaving it", error=f"{type(error).__name__}: {error}")
