"""Child: a Python process that the bench starts, so that measuring does not slow down the program that is measured."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from signal import SIGTERM
from typing import Any

from local.process.program import die_with_parent

TREE = Path(__file__).parents[1]
READY = "ready"
START_SECONDS = 30.0
STOP_SECONDS = 10.0


class MeasurementError(Exception):
    """A measurement failed. The text of the error says why."""


async def ask(module: str, question: object, seconds: float) -> Any:
    """Run `python -m module` with the question as JSON on its input. Returns the JSON from its output."""
    process = await _start(module, asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(seconds):
            answer, _ = await process.communicate(json.dumps(question).encode())
    except TimeoutError:
        raise MeasurementError(f"{module} did not answer within {seconds:g} s") from None
    finally:
        await _end(process)
    if process.returncode != 0:
        raise MeasurementError(f"{module} ended with {process.returncode}; see its output above")
    return json.loads(answer)


@asynccontextmanager
async def serving(module: str, *arguments: str) -> AsyncGenerator[int]:
    """Run `python -m module` as long as the block runs. The block begins when the process says that it is ready. Yields
    the process id."""
    process = await _start(module, asyncio.subprocess.DEVNULL, *arguments)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_SECONDS):
            if (line := await process.stdout.readline()).decode().strip() != READY:
                raise MeasurementError(f"{module} did not start: {line.decode().strip() or 'see its output above'}")
        yield process.pid
    finally:
        await _end(process)


def say_ready() -> None:
    print(READY, flush=True)


async def _start(module: str, stdin: int, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        cwd=TREE,
        process_group=0,
        preexec_fn=die_with_parent(SIGTERM),
    )


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
