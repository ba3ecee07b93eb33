"""Throughput: releases a second while every profile is due, with publishing and settlement."""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import psutil
import uvloop
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bench import child
from bench.pacer.process import Gateway, engine_of, running
from bench.pacer.statements import Statements
from bench.pacer.workload import ALWAYS_DUE

POLL_SECONDS = 0.005
SECONDS_MAX = 300.0
BACKENDS = text("""
SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'""")


@dataclass(frozen=True, slots=True)
class Throughput:
    """Makes `releases` releases and measures `measured` of them. It does not measure the first `warm` releases, because
    the process is still cold. It does not measure the last ones either, because few profiles are due then.

    If there are as many releases as profiles, each measured release is the first release of its profile in this run.
    """

    url: str
    warm: int
    measured: int
    releases: int

    async def run(self) -> dict[str, Any]:
        """Starts a process that makes the releases. Returns releases a second, CPU milliseconds of one release, and the
        times of statements."""
        return await child.ask("bench.pacer.throughput", asdict(self), SECONDS_MAX)


async def _run(asked: Throughput) -> dict[str, Any]:
    async with engine_of(asked.url) as engine:
        statements = Statements(engine)
        async with running(engine, ALWAYS_DUE, lambda looks, now: None, lambda event: None) as gateway:
            await _until(gateway, asked.warm)
            statements.clear()
            servers = await _backends(engine)
            began, first, cpu = time.perf_counter(), gateway.answered, _cpu_seconds(servers)
            await _until(gateway, asked.warm + asked.measured)
            seconds, count = time.perf_counter() - began, gateway.answered - first
            cpu, milliseconds = _cpu_seconds(servers) - cpu, statements.milliseconds()
            await _until(gateway, asked.releases)
    return {"per_second": count / seconds, "cpu_ms": cpu / count * 1e3, "statements": milliseconds}


async def _backends(engine: AsyncEngine) -> list[psutil.Process]:
    """The Postgres processes that serve this process. The pool has opened its connections by now, and keeps them."""
    async with engine.connect() as connection:
        return [psutil.Process(row.pid) for row in await connection.execute(BACKENDS)]


def _cpu_seconds(servers: Sequence[psutil.Process]) -> float:
    """The CPU time of this process and its Postgres processes. Other load on the machine hardly changes it."""
    times = [each.cpu_times() for each in (psutil.Process(), *servers)]
    return sum(each.user + each.system for each in times)


async def _until(gateway: Gateway, answered: int) -> None:
    while gateway.answered < answered:  # noqa: ASYNC110 - it is asked a few times alone
        await asyncio.sleep(POLL_SECONDS)


def main() -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(_run(Throughput(**json.load(sys.stdin))))))


if __name__ == "__main__":
    main()
