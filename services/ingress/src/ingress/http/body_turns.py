"""Body turns: limit how many large bodies are in memory at the same time. While a large body waits for its turn, the
ingress does not read more of it."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

from fastapi import Request

from ingress.http.request_body import SMALLER_BODY, check_announced, too_large
from ingress.metrics import LARGE_BODIES_REFUSED, LARGE_BODIES_WAITING
from spreader.http.problems import Problem, unavailable

SMALL_BYTES = 16 * 1024
"""A body with more bytes than this counts as large."""
AT_ONCE = 4
"""How many large bodies may be in memory at the same time."""
WAITING_MAX = 16
"""How many large bodies may wait for their turn. Further large bodies are refused."""
WAIT_SECONDS = 10.0
ARRIVE_SECONDS = 30.0
"""How long a large body may take to arrive after its turn has come, so that slow callers do not hold up others."""


class BodyTurns:
    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    @contextlib.asynccontextmanager
    async def body(self, request: Request, bytes_max: int, advice: str = SMALLER_BODY) -> AsyncGenerator[bytearray]:
        """The whole body. If it is large, its turn ends when the caller leaves the context.

        Raises the problem `too-large` as soon as more than `bytes_max` bytes are announced or received. The text of the
        problem contains `advice` for the caller. Raises the problem `unavailable` if too many large bodies wait, or if
        the turn or the body of this request comes too late.
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
