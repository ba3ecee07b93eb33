"""Loop watch: measures how long the event loop is stopped. The whole service does nothing during that time."""

import asyncio

from spreader.telemetry.metrics import EVENT_LOOP_STOPS

TICK_SECONDS = 0.02
STOP_SECONDS = 0.05


class LoopWatch:
    """Schedules a tick every 20 ms. If a tick comes more than 50 ms late, the delay counts as a stop of the loop."""

    def __init__(self) -> None:
        self._due = 0.0
        self._tick: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._schedule(asyncio.get_running_loop())

    def stop(self) -> None:
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = loop.time() + TICK_SECONDS
        self._tick = loop.call_at(self._due, self._on_tick, loop)

    def _on_tick(self, loop: asyncio.AbstractEventLoop) -> None:
        late = loop.time() - self._due
        if late > STOP_SECONDS:
            EVENT_LOOP_STOPS.observe(late)
        self._schedule(loop)
