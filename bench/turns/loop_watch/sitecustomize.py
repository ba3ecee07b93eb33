"""Loop watch: writes to a file how long the event loop of this process stops.

Python imports a module of this name at the start of each process whose `PYTHONPATH` contains the module's folder. So
the services of any commit are watched in the same way.
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable
from typing import Any

FOLDER = "BENCH_LOOP_WATCH"
"""The environment variable that names the folder of the files. Without it nothing is watched."""
TICK_SECONDS = 0.02
LINE_SECONDS = 1.0


class LoopWatch:
    """Schedules a tick every 20 ms, and measures how late each tick comes.

    Writes one line for each second. The first number is the end of the second by `time.monotonic()`. The next number is
    the longest delay of a tick. The last number is the longest time within one delay for which the loop's thread had a
    processor. In the rest of a delay, the thread waited, for example because other processes used all processors.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, file: str) -> None:
        self._loop = loop
        self._file = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._longest = self._busiest = 0.0
        self._line_due = loop.time() + LINE_SECONDS
        self._schedule()

    def _schedule(self) -> None:
        self._due = self._loop.time() + TICK_SECONDS
        self._worked = time.thread_time()
        self._loop.call_at(self._due, self._on_tick)

    def _on_tick(self) -> None:
        now = self._loop.time()
        late = now - self._due
        self._longest = max(self._longest, late)
        self._busiest = max(self._busiest, min(late, time.thread_time() - self._worked))
        if now >= self._line_due:
            os.write(self._file, f"{time.monotonic()} {self._longest} {self._busiest}\n".encode())
            self._longest = self._busiest = 0.0
            self._line_due = now + LINE_SECONDS
        self._schedule()


def watch(folder: str) -> None:
    """Watch the event loop of each service of the system. `python -m ingress` writes `<folder>/ingress-<pid>`."""
    arguments = sys.orig_argv
    if "-m" not in arguments[:-1]:
        return
    name = arguments[arguments.index("-m") + 1]
    run: Callable[..., Any] = asyncio.Runner.run

    def run_watched(runner: asyncio.Runner, *arguments: Any, **options: Any) -> Any:
        LoopWatch(runner.get_loop(), f"{folder}/{name}-{os.getpid()}")
        return run(runner, *arguments, **options)

    setattr(asyncio.Runner, "run", run_watched)  # noqa: B010 - its type does not allow the assignment


if folder := os.environ.get(FOLDER):
    watch(folder)
