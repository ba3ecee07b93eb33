"""Peer: another queue in the pacer's place. The bench measures how fast it schedules tasks, how much memory it needs,
and how late its tasks begin."""

import asyncio
import random
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from bench import child
from bench.pacer.database import Databases, tree_mebibytes
from bench.pacer.peers import procrastinate
from bench.pacer.peers.redis import question, redis
from bench.pacer.peers.task_batch import TaskBatch
from bench.pacer.peers.task_log import read_delays
from spreader.clock import wall_now

PER_SECOND = 60
AHEAD_SECONDS = 15.0  # the tasks that are due soon are scheduled this long before the first of them is due
SETTLE_SECONDS_MAX = 60.0
GRACE_SECONDS_MAX = 60.0
STILL_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Peer:
    """How a peer is started. `module` is the Python module that schedules its tasks."""

    name: str
    module: str
    start: Callable[[Path], AbstractAsyncContextManager["Started"]]


@dataclass(frozen=True, slots=True)
class Started:
    url: str
    worker_arguments: Sequence[str]
    server_mebibytes: Callable[[], float]
    settled: Callable[[], Awaitable[bool]]
    """Returns whether the worker has fetched those tasks that it keeps in memory while they wait."""


@dataclass(frozen=True, slots=True)
class PeerResult:
    name: str
    held: int
    scheduled_per_second: float
    worker_mebibytes: float
    worker_mebibytes_empty: float
    server_mebibytes: float
    server_mebibytes_empty: float
    expected: int
    late: list[float] = field(repr=False)
    """How many milliseconds late a task began, for each task that ran before the measurement ended."""


async def measure(peer: Peer, held: int, seconds: float) -> PeerResult:
    """Schedule `held` tasks far ahead. Then schedule other tasks, which become due at random times within `seconds`."""
    with tempfile.TemporaryDirectory(prefix="spreader-bench-peer-") as folder:
        file = Path(folder) / "late"
        async with (
            peer.start(Path(folder)) as started,
            child.serving(peer.module, "worker", started.url, *started.worker_arguments) as pid,
        ):
            empty = tree_mebibytes(pid), started.server_mebibytes()
            scheduling = await TaskBatch(started.url, str(file), held=held).of(peer.module)
            await _settle(started)
            full = tree_mebibytes(pid), started.server_mebibytes()
            expected = await _fall_due(peer, started, file, seconds)
            late = await asyncio.to_thread(read_delays, file)
    return PeerResult(
        peer.name,
        held,
        held / scheduling,
        full[0],
        empty[0],
        full[1],
        empty[1],
        expected=expected,
        late=late,
    )


async def _fall_due(peer: Peer, started: Started, file: Path, seconds: float) -> int:
    """Schedule the tasks that are due soon, and wait until all have run or the time is up. Returns the number of these
    tasks. Raises MeasurementError if the first task is due before all are scheduled."""
    count = int(PER_SECOND * seconds)
    first = wall_now() + timedelta(seconds=AHEAD_SECONDS)
    due_ats = sorted(first + timedelta(seconds=random.uniform(0, seconds)) for _ in range(count))
    moments = [each.isoformat() for each in due_ats]
    await TaskBatch(started.url, str(file), due_ats=moments).of(peer.module)
    if wall_now() > first:
        raise child.MeasurementError(
            f"{count} tasks were not scheduled within {AHEAD_SECONDS:g} s: some were due before"
        )
    await asyncio.sleep(max((due_ats[-1] - wall_now()).total_seconds(), 0))
    until = time.monotonic() + GRACE_SECONDS_MAX
    while len(await asyncio.to_thread(read_delays, file)) < count and time.monotonic() < until:  # noqa: ASYNC110 - others write
        await asyncio.sleep(0.5)
    return count


async def _settle(started: Started) -> None:
    until = time.monotonic() + SETTLE_SECONDS_MAX
    while not await started.settled() and time.monotonic() < until:  # noqa: ASYNC110 - others decide
        await asyncio.sleep(0.5)
    await asyncio.sleep(STILL_SECONDS)


def celery_peer() -> Peer:
    @asynccontextmanager
    async def start(folder: Path) -> AsyncGenerator[Started]:
        with redis(folder) as (program, server):
            assert server.pid is not None
            pid = server.pid

            async def taken() -> bool:
                return await question(program.port, b"LLEN celery") == b":0"

            yield Started(program.url, (), lambda: tree_mebibytes(pid), taken)

    return Peer("Celery, ETA on Redis", "bench.pacer.peers.celery", start)


def procrastinate_peer(servers: Databases, poll_seconds: float) -> Peer:
    @asynccontextmanager
    async def start(_: Path) -> AsyncGenerator[Started]:
        url = await servers.create("procrastinate")
        try:
            await procrastinate.prepare(url)

            async def at_once() -> bool:
                return True

            yield Started(url, (str(poll_seconds),), servers.mebibytes, at_once)
        finally:
            await servers.drop("procrastinate")

    return Peer(f"procrastinate, looks each {poll_seconds:g} s", "bench.pacer.peers.procrastinate", start)
