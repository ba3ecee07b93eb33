"""Command: runs the bench of one service from the command line, prints its figures and writes them to files."""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from bench.child import MeasurementError
from bench.figures import Figure
from bench.progress import Progress
from bench.report import Machine, keep, table

Measure = Callable[[Progress], Awaitable[list[Figure]]]


def run(name: str, measure: Measure, arguments: Sequence[str]) -> int:
    """Run the bench and return the exit code. `name` is the default name of the result files."""
    parser = argparse.ArgumentParser(prog=f"python -m bench {name}")
    parser.add_argument("--name", default=name, help="name of the files in bench/results")
    return measure_and_keep(parser.parse_args(arguments).name, measure)


def measure_and_keep(name: str, measure: Measure) -> int:
    """Run the bench, print its figures and write them to files with this name. Returns the exit code."""
    machine, progress = Machine.this(), Progress()

    async def measured() -> list[Figure]:
        return await measure(progress)

    try:
        figures = asyncio.run(measured())
    except MeasurementError as reason:
        progress.say(f"given up: {reason}")
        return 1
    kept = keep(name, machine, time.monotonic() - progress.began, figures)
    print("\n".join(table(figures)))
    progress.say(f"written to {' and '.join(str(file) for file in kept)}")
    return 0
