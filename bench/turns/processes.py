"""Processes: the processor time of a process and of all processes that it has started, from `/proc`."""

import asyncio
import os
import time
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
SAMPLE_SECONDS = 0.5


class ProcessorSample(NamedTuple):
    at: float
    """The time of the sample, by `time.monotonic()`."""
    seconds: float
    """The processor time that was used until then."""


@asynccontextmanager
async def sampled(root: int) -> AsyncGenerator[list[ProcessorSample]]:
    """Measures the processor time of a process and its descendants twice a second while the block runs. Yields the list
    of the samples, which grows meanwhile."""
    samples = list[ProcessorSample]()

    async def sample() -> None:
        while True:
            samples.append(ProcessorSample(time.monotonic(), processor_seconds(root)))
            await asyncio.sleep(SAMPLE_SECONDS)

    sampling = asyncio.create_task(sample())
    try:
        yield samples
    finally:
        sampling.cancel()


def processors_used(samples: list[ProcessorSample], since: float, until: float) -> float:
    """How many processors were used between two times, on average."""
    inside = [sample for sample in samples if since <= sample.at <= until]
    return (inside[-1].seconds - inside[0].seconds) / (inside[-1].at - inside[0].at)


def tree_of(root: int) -> list[int]:
    """The ids of the process and of its descendants."""
    children = defaultdict[int, list[int]](list)
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and (fields := _stat(int(folder.name))):
            children[int(fields[1])].append(int(folder.name))
    found = [root]
    for pid in found:
        found.extend(children[pid])
    return found


def processor_seconds(root: int) -> float:
    """The processor time of the process and its descendants so far. Descendants that have ended count if their parent
    has waited for them."""
    ticks = 0
    for pid in tree_of(root):
        ticks += sum(map(int, _stat(pid)[11:15]))
    return ticks / TICKS_PER_SECOND


def _stat(pid: int) -> list[str]:
    """The fields of `/proc/<pid>/stat` from the third on (proc(5)). For a process that has ended, they are zeros."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ["0"] * 50
    return text.rpartition(")")[2].split()
