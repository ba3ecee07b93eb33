"""Lifetimes: how Kafka clients are started and closed, each within a time limit.

Without a limit, aiokafka may wait for ever for a broker that accepts connections but does not answer.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger()

START_SECONDS = 15.0
JOIN_SECONDS = 90.0
"""This must be longer than REBALANCE_TIMEOUT_MS, because a new member of a group may wait that long for the others."""
CLOSE_SECONDS = 5.0


async def started(
    start: Awaitable[object], close: Callable[[], Awaitable[object]], seconds: float = START_SECONDS
) -> None:
    """Wait for `start`. If it fails or takes longer than `seconds`, close the half-started client and raise the
    error."""
    try:
        async with asyncio.timeout(seconds):
            await start
    except BaseException:
        await closed(close())
        raise


async def closed(close: Awaitable[object], seconds: float = CLOSE_SECONDS) -> None:
    """Wait for `close` for at most `seconds`. A client that is still open then is abandoned. Errors are only logged."""
    try:
        async with asyncio.timeout(seconds):
            await close
    except Exception as error:
        log.warning("cannot close a Kafka client; leaving it", error=f"{type(error).__name__}: {error}")
