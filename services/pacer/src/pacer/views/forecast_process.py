"""Forecast process: runs forecasts in a child process, one at a time, behind a short queue.

A simulation may take seconds of processor time, and would slow down the release loop.
"""

import asyncio
import contextlib
import heapq
import pickle
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Literal

import structlog

from pacer.core.forecast.package_forecast import ForecastTask, PackageForecast, forecast_of
from pacer.metrics import FORECAST_SECONDS, FORECASTS_REFUSED, FORECASTS_WAITING
from spreader.runtime.child_process import ChildProcess, command
from spreader.runtime.failure_streak import FailureStreak

log = structlog.get_logger()

WAITING_MAX = 8
"""The most forecasts that wait for their turn."""
SIMULATION_SECONDS = 10.0
"""If the child has not computed a forecast after this time, another child replaces it."""
COMMAND = command("pacer.core.forecast.package_forecast")

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
        self._child = ChildProcess(self.name, command, simulation_seconds)
        self._turns: list[_Turn] = []
        self._numbers = count()
        self._has_turn = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._streak = FailureStreak()

    @property
    def child_id(self) -> int | None:
        return self._child.process_id

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
        await self._child.start()
        self._running = asyncio.create_task(self._run(), name=self.name)

    async def stop(self) -> None:
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running
        for turn in self._turns:
            if not turn.result.done():
                turn.result.set_exception(_refused("failed", "it is stopping"))
        await self._child.stop()

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
                result = await self._child.call(forecast_of, pickle.dumps(turn.task, pickle.HIGHEST_PROTOCOL))
                self._streak.succeeded()
                if not turn.result.done():
                    turn.result.set_result(result)
            except Exception as error:
                self._streak.failed(error)
                log.warning("a forecast failed; the next one is tried", exc_info=error)
                if not turn.result.done():
                    turn.result.set_exception(_refused("failed", f"it failed ({str(error) or type(error).__name__})"))


def _refused(reason: str, why: str) -> ForecastRefused:
    FORECASTS_REFUSED.labels(reason).inc()
    return ForecastRefused(f"the pacer has no forecast now: {why}")
