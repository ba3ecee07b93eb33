"""Forecast worker: a child process of the pacer that computes forecasts, one after the other.

It reads pickled `ForecastTask`s from its standard input and writes the pickled results to its standard output. Before
each task and each result comes its length. At the start the worker writes LOADED. The worker ends when its input ends,
so it never outlives the pacer.
"""

import os
import pickle
import signal
import sys
from dataclasses import dataclass
from typing import BinaryIO

from pacer.core.forecast.package_forecast import ForecastTask, PackageForecast

LENGTH_BYTES = 8
LOADED = bytes(LENGTH_BYTES)
NICENESS = 5
"""How much this process gives way to others when processors are scarce."""


@dataclass(frozen=True, slots=True)
class TaskFailed:
    """The task raised this error."""

    error: str


def pack(content: ForecastTask | PackageForecast | TaskFailed) -> bytes:
    packed = pickle.dumps(content, pickle.HIGHEST_PROTOCOL)
    return len(packed).to_bytes(LENGTH_BYTES) + packed


def serve(tasks: BinaryIO, results: BinaryIO) -> None:
    """Compute each task until there are no more tasks."""
    results.write(LOADED)
    results.flush()
    while len(length := tasks.read(LENGTH_BYTES)) == LENGTH_BYTES:
        packed = tasks.read(int.from_bytes(length))
        if len(packed) < int.from_bytes(length):
            return
        results.write(pack(_result(packed)))
        results.flush()


def _result(packed: bytes) -> PackageForecast | TaskFailed:
    try:
        task: ForecastTask = pickle.loads(packed)  # noqa: S301  # from the pacer that started this process
        return task.forecast()
    except Exception as error:
        return TaskFailed(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches this process too, but the pacer ends it
    os.nice(NICENESS)
    try:
        serve(sys.stdin.buffer, sys.stdout.buffer)
    except BrokenPipeError:
        os._exit(0)  # the pacer ended while this process computed
