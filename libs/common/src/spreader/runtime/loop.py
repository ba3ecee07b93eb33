"""Loop: work that a service does again and again, awake when there is something to do and patient when it fails."""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable

import structlog

from spreader.telemetry.metrics import LOOP_FAILURES

log = structlog.get_logger()

BACK_OFF_FIRST_SECONDS = 0.1
BACK_OFF_MAX_SECONDS = 5.0
STUCK_SECONDS = 60.0

Turn = Callable[[], Awaitable[float]]
"""One turn of the work; answers after how many seconds the next is due at the latest (0: at once)."""


class Loop:
    """Calls `turn` until stopped. A failing turn is logged, counted and tried again with back-off."""

    def __init__(self, name: str, turn: Turn) -> None:
        self.name = name
        self._turn = turn
        LOOP_FAILURES.labels(name)
        self._awake = asyncio.Event()
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._began: float | None = None

    def wake(self) -> None:
        """There is something to do: do not wait for the moment that the last turn answered."""
        self._awake.set()

    async def start(self) -> None:
        self._stop.clear()
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def stop(self) -> None:
        """Let the present turn end, then stop."""
        self._stop.set()
        self._awake.set()
        if self._task is not None:
            await self._task

    def not_ready_reason(self) -> str | None:
        return None if self.is_live() else f"one turn has been running for more than {STUCK_SECONDS:.0f} s"

    def is_live(self) -> bool:
        return self._began is None or time.monotonic() - self._began < STUCK_SECONDS

    async def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            self._awake.clear()
            self._began = time.monotonic()
            try:
                seconds = await self._turn()
                failures = 0
            except Exception as error:  # a loop outlives whatever its turn meets; readiness tells of the cause
                failures += 1
                LOOP_FAILURES.labels(self.name).inc()
                seconds = min(BACK_OFF_FIRST_SECONDS * 2 ** min(failures, 10), BACK_OFF_MAX_SECONDS)
                seconds *= random.uniform(0.5, 1)
                log.warning("a turn failed and will be tried again", loop=self.name, seconds=seconds, exc_info=error)
                await self._wait(self._stop, seconds)
                continue
            finally:
                self._began = None
            if seconds > 0:
                await self._wait(self._awake, seconds)

    async def _wait(self, event: asyncio.Event, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()
