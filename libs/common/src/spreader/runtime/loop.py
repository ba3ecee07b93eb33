"""Loop: a component that runs a step again and again, is woken by events, and backs off after errors."""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Mapping

import structlog

from spreader.runtime.cancellation import is_cancelled
from spreader.runtime.failure_streak import FailureStreak
from spreader.telemetry.metrics import LOOP_FAILURES

log = structlog.get_logger()

BACK_OFF_FIRST_SECONDS = 0.1
BACK_OFF_MAX_SECONDS = 5.0
STUCK_SECONDS = 60.0

Step = Callable[[], Awaitable[float]]
"""Does a bounded piece of work. Returns how many seconds to sleep before the next step. 0: do not sleep."""


class Loop:
    """Runs `step` until stopped. A step that fails is logged, counted and tried again with back-off."""

    def __init__(self, name: str, step: Step) -> None:
        self.name = name
        self._step = step
        LOOP_FAILURES.labels(name)
        self._awake = asyncio.Event()
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._step_began: float | None = None
        self._streak = FailureStreak()

    def wake(self) -> None:
        """End the sleep because there is work. If a step is running, the next step follows it at once."""
        self._awake.set()

    async def start(self) -> None:
        self._stop.clear()
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def stop(self) -> None:
        """Waits for the running step to end."""
        self._stop.set()
        self._awake.set()
        if self._task is not None:
            await self._task

    def not_ready_reason(self) -> str | None:
        return None if self.is_live() else f"one step has been running for more than {STUCK_SECONDS:.0f} s"

    def is_live(self) -> bool:
        return self._step_began is None or time.monotonic() - self._step_began < STUCK_SECONDS

    def failing(self) -> Mapping[str, str]:
        report = self._streak.report()
        return {} if report is None else {self.name: report}

    async def _run(self) -> None:
        while not self._stop.is_set():
            self._awake.clear()
            self._step_began = time.monotonic()
            try:
                seconds = await self._step()
                self._streak.succeeded()
            except (Exception, asyncio.CancelledError) as error:  # no error ends a loop
                if is_cancelled():
                    raise
                self._streak.failed(error)
                LOOP_FAILURES.labels(self.name).inc()
                seconds = min(BACK_OFF_FIRST_SECONDS * 2 ** min(self._streak.count, 10), BACK_OFF_MAX_SECONDS)
                seconds *= random.uniform(0.5, 1)
                log.warning("a loop failed; trying again", loop=self.name, seconds=seconds, exc_info=error)
                await self._wait(self._stop, seconds)
                continue
            finally:
                self._step_began = None
            if seconds > 0:
                await self._wait(self._awake, seconds)

    async def _wait(self, event: asyncio.Event, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()
