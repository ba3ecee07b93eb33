"""Loop watch: measures how long the event loop is stopped. The whole service does nothing during that time."""

import asyncio
import time
from collections.abc import Callable

from spreader.telemetry.metrics import EVENT_LOOP_STOPS

TICK_SECONDS = 0.02
IDLE_TICK_SECONDS = 0.2
IDLE_SHARE = 0.1
"""The thread of the loop is idle while it uses a smaller share of a processor than this."""
STOP_SECONDS = 0.05


class LoopWatch:
    """Schedules a tick every 20 ms. If a tick comes more than 50 ms late, the delay counts as a stop of the loop.

    While the loop is idle, a tick comes every 200 ms, because the ticks would be a tenth of the processor time of an
    idle service. So a stop that begins while the loop is idle appears up to 200 ms too short.
    """

    def __init__(self, used: Callable[[], float] = time.thread_time) -> None:
        """`used`: the processor time that the thread has used so far, in seconds."""
        self._used = used
        self._used_before = used()
        self._scheduled_at = 0.0
        self._due = 0.0
        self._tick: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._used_before = self._used()
        self._schedule(asyncio.get_running_loop(), TICK_SECONDS)

    def stop(self) -> None:
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None

    def _schedule(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._scheduled_at = loop.time()
        self._due = self._scheduled_at + seconds
        self._tick = loop.call_at(self._due, self._on_tick, loop)

    def _on_tick(self, loop: asyncio.AbstractEventLoop) -> None:
        now, used = loop.time(), self._used()
        if (late := now - self._due) > STOP_SECONDS:
            EVENT_LOOP_STOPS.observe(late)
        is_idle = used - self._used_before < IDLE_SHARE * (now - self._scheduled_at)
        self._used_before = used
        self._schedule(loop, IDLE_TICK_SECONDS if is_idle else TICK_SECONDS)
