"""Forecast process: runs forecasts in a child process, one at a time, behind a short queue.

A simulation may take seconds of processor time. In the pacer's own process it would slow down the release loop, even in
a thread, because both would share one interpreter.
"""

import asyncio
import contextlib
import heapq
import pickle
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Literal

import structlog

from pacer.core.forecast.package_forecast import ForecastTask, PackageForecast
from pacer.metrics import FORECAST_SECONDS, FORECASTS_REFUSED, FORECASTS_WAITING
from pacer.views.forecast_worker import LENGTH_BYTES, LOADED, TaskFailed, pack
from spreader.runtime.failure_streak import FailureStreak

log = structlog.get_logger()

WAITING_MAX = 8
"""The most forecasts that wait for their turn."""
SIMULATION_SECONDS = 10.0
"""If the child has not computed a forecast after this time, another child replaces it."""
STOP_SECONDS = 1.0
COMMAND = (sys.executable, "-m", "pacer.views.forecast_worker")

Purpose = Literal["answer", "preview"]
WAIT_SECONDS: Mapping[Purpose, float] = {"answer": 0.9, "preview": 15.0}
"""How long a forecast may take, its time in the queue included. An `answer` holds up the response to a message."""


class ForecastRefused(Exception):
    """There is no forecast now. The text says why."""


@dataclass(order=True)
class _Turn:
    """A forecast that waits. Answers go before previews."""

    order: tuple[bool, int]
    task: ForecastTask = field(compare=False)
    result: asyncio.Future[PackageForecast] = field(compare=False)


class ForecastProcess:
    """A component. It starts the child process when it starts itself, and starts another child when that one has
    ended."""

    name = "forecasts"

    def __init__(self, command: Sequence[str] = COMMAND, simulation_seconds: float = SIMULATION_SECONDS) -> None:
        self._command = command
        self._simulation_seconds = simulation_seconds
        self._turns: list[_Turn] = []
        self._numbers = count()
        self._has_turn = asyncio.Event()
        self._child: Process | None = None
        self._is_loaded = False
        self._running: asyncio.Task[None] | None = None
        self._streak = FailureStreak()

    @property
    def child_id(self) -> int | None:
        return None if self._child is None else self._child.pid

    async def compute(self, task: ForecastTask, purpose: Purpose) -> PackageForecast:
        """The forecast, when its turn has come; raises ForecastRefused if it cannot be computed in time."""
        self._turns = [turn for turn in self._turns if not turn.result.done()]  # without those that wait no longer
        if len(self._turns) >= WAITING_MAX:
            raise _refused("queue full", f"{WAITING_MAX} other forecasts wait already")
        turn = _Turn((purpose == "preview", next(self._numbers)), task, asyncio.get_running_loop().create_future())
        heapq.heapify(self._turns)
        heapq.heappush(self._turns, turn)
        FORECASTS_WAITING.set(len(self._turns))
        self._has_turn.set()
        began = time.monotonic()
        try:
            async with asyncio.timeout(WAIT_SECONDS[purpose]):
                return await turn.result
        except TimeoutError as error:
            raise _refused("late", f"it was not computed within {WAIT_SECONDS[purpose]:g} s") from error
        finally:
            FORECAST_SECONDS.labels(purpose).observe(time.monotonic() - began)

    async def start(self) -> None:
        """Waits until the child is loaded, because the first forecast for a response could not wait so long. If the
        child does not load, the first forecast tries again."""
        child = await self._spawn()
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            async with asyncio.timeout(self._simulation_seconds):
                await self._loaded(child)
        self._running = asyncio.create_task(self._run(), name=self.name)

    async def stop(self) -> None:
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running
        for turn in self._turns:
            if not turn.result.done():
                turn.result.set_exception(_refused("failed", "it is stopping"))
        await self._end_child()

    def not_ready_reason(self) -> str | None:
        return None

    def is_live(self) -> bool:
        return True

    def failing(self) -> Mapping[str, str]:
        report = self._streak.report()
        return {} if report is None else {self.name: report}

    async def _run(self) -> None:
        while True:
            await self._has_turn.wait()
            if not self._turns:
                self._has_turn.clear()
                continue
            turn = heapq.heappop(self._turns)
            FORECASTS_WAITING.set(len(self._turns))
            if turn.result.done():
                continue
            try:
                result = await self._compute(turn.task)
                self._streak.succeeded()
                if not turn.result.done():
                    turn.result.set_result(result)
            except Exception as error:
                self._streak.failed(error)
                log.warning("a forecast failed; the next one is tried", exc_info=error)
                if not turn.result.done():
                    turn.result.set_exception(_refused("failed", f"it failed ({str(error) or type(error).__name__})"))

    async def _compute(self, task: ForecastTask) -> PackageForecast:
        """If the child has ended or does not answer, another child replaces it. If it has ended, the task is tried a
        second time, because the child may have ended before it got the task."""
        for is_last in (False, True):
            try:
                async with asyncio.timeout(self._simulation_seconds):
                    return await self._exchange(task)
            except TimeoutError:
                log.warning("the forecast process takes too long; starting another one")
                await self._replace()
                raise
            except (OSError, asyncio.IncompleteReadError):
                log.warning("the forecast process has ended; starting another one")
                await self._replace()
                if is_last:
                    raise
        raise AssertionError

    async def _exchange(self, task: ForecastTask) -> PackageForecast:
        child = self._child or await self._spawn()
        assert child.stdin is not None
        assert child.stdout is not None
        await self._loaded(child)
        child.stdin.write(pack(task))
        await child.stdin.drain()
        length = int.from_bytes(await child.stdout.readexactly(LENGTH_BYTES))
        result: PackageForecast | TaskFailed = pickle.loads(await child.stdout.readexactly(length))  # noqa: S301
        if isinstance(result, TaskFailed):
            raise RuntimeError(result.error)
        return result

    async def _loaded(self, child: Process) -> None:
        if not self._is_loaded:
            assert child.stdout is not None
            await child.stdout.readexactly(len(LOADED))
            self._is_loaded = True

    async def _spawn(self) -> Process:
        self._is_loaded = False
        self._child = await asyncio.create_subprocess_exec(*self._command, stdin=PIPE, stdout=PIPE)
        return self._child

    async def _replace(self) -> None:
        """End the child and start another one. The new child begins to load at once, not only with the next task."""
        await self._end_child(at_once=True)
        await self._spawn()

    async def _end_child(self, at_once: bool = False) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        if child.stdin is not None and not at_once:
            child.stdin.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_SECONDS):
                    await child.wait()
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
        await child.wait()


def _refused(reason: str, why: str) -> ForecastRefused:
    FORECASTS_REFUSED.labels(reason).inc()
    return ForecastRefused(f"the pacer has no forecast now: {why}")
