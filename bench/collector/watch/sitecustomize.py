"""Collector watch: sets the garbage collector of this process as the bench says, and writes down each collection.

Python imports a module of this name at the start of each process whose `PYTHONPATH` contains the module's folder.
"""

import asyncio
import gc
import os
import sys
import time
from collections.abc import Callable
from typing import Any

FOLDER, THRESHOLDS, FREEZE = "BENCH_GC_FOLDER", "BENCH_GC_THRESHOLDS", "BENCH_GC_FREEZE"
"""The names of environment variables. `BENCH_GC_FOLDER` is the folder of the files. `BENCH_GC_THRESHOLDS` has the three
thresholds. If it is empty, the collector is turned off. If `BENCH_GC_FREEZE` is 1, the objects of the start are
frozen."""


class CollectorWatch:
    """Writes one line for each collection: its end by `time.monotonic()`, its generation, and its processor time. A
    service does nothing else during a collection."""

    def __init__(self, file: str) -> None:
        self._file = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._began = 0.0

    def on_collection(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._began = time.thread_time()
        else:
            seconds = time.thread_time() - self._began
            os.write(self._file, f"{time.monotonic()} {info['generation']} {seconds}\n".encode())


def watch(folder: str) -> None:
    arguments = sys.orig_argv
    if "-m" not in arguments[:-1]:
        return
    name = arguments[arguments.index("-m") + 1]
    run: Callable[..., Any] = asyncio.Runner.run
    set_threshold = gc.set_threshold

    def choose(*_: int) -> None:
        """Takes the place of `gc.set_threshold`, which a service calls when it is ready."""
        if chosen := os.environ[THRESHOLDS]:
            set_threshold(*map(int, chosen.split(",")))
        else:
            gc.disable()

    def keep_unfrozen() -> None:
        """Takes the place of `gc.freeze`, and freezes nothing."""

    def run_watched(runner: asyncio.Runner, *runner_arguments: Any, **options: Any) -> Any:
        gc.callbacks.append(CollectorWatch(f"{folder}/{name}-{os.getpid()}").on_collection)
        setattr(gc, "set_threshold", choose)  # noqa: B010 - its type does not allow the assignment
        if os.environ[FREEZE] != "1":
            setattr(gc, "freeze", keep_unfrozen)  # noqa: B010 - as above
        return run(runner, *runner_arguments, **options)

    setattr(asyncio.Runner, "run", run_watched)  # noqa: B010 - its type does not allow the assignment


if folder := os.environ.get(FOLDER):
    watch(folder)
