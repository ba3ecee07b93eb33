"""Flames: a flame graph of each service, drawn by py-spy while the service works."""

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from bench.child import MeasurementError

SAMPLES_PER_SECOND = 97
"""A prime number. At a round rate such as 100, a loop that runs every 10 ms would always be sampled at the same
point."""
Form = Literal["flamegraph", "speedscope"]
ENDINGS: Mapping[Form, str] = {"flamegraph": "svg", "speedscope": "speedscope.json"}


async def draw(pids: Mapping[str, int], folder: Path, seconds: float, form: Form) -> list[Path]:
    """Samples all processes at the same time. Returns the files with the drawings."""
    os.makedirs(folder, exist_ok=True)
    files = {name: folder / f"{name}.{ENDINGS[form]}" for name in pids}
    await asyncio.gather(*(_record(pids[name], file, seconds, form) for name, file in files.items()))
    return list(files.values())


async def _record(pid: int, file: Path, seconds: float, form: Form) -> None:
    program = Path(sys.executable).with_name("py-spy")
    if not program.exists():
        raise MeasurementError("py-spy is not installed: run `make profile`, which installs it")
    process = await asyncio.create_subprocess_exec(
        str(program),
        *("record", "--pid", str(pid), "--output", str(file), "--format", form),
        *("--duration", f"{seconds:.0f}", "--rate", str(SAMPLES_PER_SECOND), "--nonblocking"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    if process.returncode != 0:
        raise MeasurementError(f"py-spy failed for process {pid}: {output.decode(errors='replace')[-500:]}")
