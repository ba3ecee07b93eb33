"""Command: how the bench of one service is run from the command line: measured, printed, kept."""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from bench.child import Failed
from bench.figures import Figure
from bench.progress import Progress
from bench.report import Machine, keep, table

Measure = Callable[[Progress], Awaitable[list[Figure]]]


def run(name: str, measure: Measure, arguments: Sequence[str]) -> int:
    """The exit code. The run is kept under `name` unless the caller gives another."""
    parser = argparse.ArgumentParser(prog=f"python -m bench {name}")
    parser.add_argument("--name", default=name, help="what the kept run is called in bench/results")
    asked = parser.parse_args(arguments)
    machine, progress = Machine.this(), Progress()

    async def measured() -> list[Figure]:
        return await measure(progress)

    try:
        figures = asyncio.run(measured())
    except Failed as reason:
        progress.say(f"given up: {reason}")
        return 1
    kept = keep(asked.name, machine, time.monotonic() - progress.began, figures)
    print("\n".join(table(figures)))
    progress.say(f"kept in {' and '.join(str(file) for file in kept)}")
    return 0
