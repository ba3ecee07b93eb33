"""Body turns: few large bodies are in memory at the same time. A request whose body has to wait is not read further."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from fastapi import Request

from ingress.http.request_body import SMALLER_BODY, check_announced, too_large
from ingress.metrics import LARGE_BODIES_REFUSED, LARGE_BODIES_WAITING
from spreader.http.problems import Problem, unavailable

SMALL_BYTES = 16 * 1024
"""A larger body is large."""
AT_ONCE = 4
"""The most large bodies in memory."""
WAITING_MAX = 16
"""The most large bodies that wait for their turn."""
WAIT_SECONDS = 10.0
ARRIVE_SECONDS = 30.0
"""How long a large body may take to arrive after its turn has come, so that slow callers do not hold up others."""


class BodyTurns:
    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    @contextlib.asynccontextmanager
    async def body(self, request: Request, bytes_max: int, advice: str = SMALLER_BODY) -> AsyncGenerator[bytearray]:
        """The whole body. If it is large, its turn ends when the context is left.

        Raises the problem `too-large` as soon as more than `bytes_max` bytes are announced or received. `advice` is
        what this problem tells the caller to do. Raises `unavailable` if too many large bodies wait.
        """
        check_announced(request, bytes_max, advice)
        body, chunks = bytearray(), request.stream()
        await _read_up_to(min(SMALL_BYTES, bytes_max), body, chunks)
        if len(body) > bytes_max:
            raise too_large(bytes_max, advice)
        if len(body) <= SMALL_BYTES:
            yield body
            return
        async with self._turn():
            try:
                async with asyncio.timeout(ARRIVE_SECONDS):
                    await _read_up_to(bytes_max, body, chunks)
            except TimeoutError:
                raise refused("slow", f"its body did not arrive within {ARRIVE_SECONDS:g} s") from None
            if len(body) > bytes_max:
                raise too_large(bytes_max, advice)
            yield body

    @contextlib.asynccontextmanager
    async def _turn(self) -> AsyncGenerator[None]:
        if self._waiting >= WAITING_MAX:
            raise refused("queue full", f"{WAITING_MAX} other large requests wait")
        self._waiting += 1
        LARGE_BODIES_WAITING.inc()
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._turns.acquire()
        except TimeoutError:
            raise refused("late", f"its turn did not come within {WAIT_SECONDS:g} s") from None
        finally:
            self._waiting -= 1
            LARGE_BODIES_WAITING.dec()
        try:
            yield
        finally:
            self._turns.release()


async def _read_up_to(bytes_max: int, body: bytearray, chunks: AsyncGenerator[bytes]) -> None:
    """Read chunks until the body is complete, or has more than `bytes_max` bytes."""
    while len(body) <= bytes_max and (chunk := await anext(chunks, None)) is not None:
        body += chunk


def refused(reason: str, why: str) -> Problem:
    LARGE_BODIES_REFUSED.labels(reason).inc()
    return unavailable(f"The request was not accepted, because {why}. Send it again shortly.")
