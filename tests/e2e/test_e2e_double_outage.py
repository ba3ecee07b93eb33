"""Two outages in a row: Kafka, Postgres and every service, in every order; each service is ready again in time.

`make chaos` runs 100 cycles of all pairs (`SPREADER_CHAOS_CYCLES`) and keeps the result.
"""

import asyncio
import contextlib
import itertools
import os
import signal
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from random import Random
from typing import Any

import pytest
from aiohttp import ClientError
from e2e.system import RunningSystem, eventually, recipients

SERVICES = ("ingress", "router", "pacer", "sender", "stats")
CYCLES = int(os.environ.get("SPREADER_CHAOS_CYCLES", "5"))
SEED = 11
READY_SECONDS = 20.0
BETWEEN_SECONDS = (2.0, 9.0)
LOAD_PAUSE_SECONDS = 0.2
PAIRS = tuple(itertools.permutations(("kafka", "postgres", *SERVICES), 2))
FIRST_PAIRS = (
    ("kafka", "postgres"), ("postgres", "kafka"), ("kafka", "postgres"), ("kafka", "sender"), ("postgres", "ingress"),
)  # fmt: skip

pytestmark = [pytest.mark.e2e, pytest.mark.recorded, pytest.mark.timeout(int(CYCLES * 60 + 300))]


@pytest.fixture
async def loaded(live: RunningSystem) -> AsyncGenerator[RunningSystem]:
    """The running system under load: requests of 20 recipients, whose receipts come in."""
    wide = {"per_hour": 3_000, "per_3_hours": 9_000, "per_day": 20_000, "unanswered_per_30_days": None}
    await live.create_package("outages", 4, profile_limits=wide, gap={"min_seconds": 1, "max_seconds": 1})
    load = asyncio.create_task(_load(live))
    try:
        yield live
    finally:
        load.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await load


async def _load(system: RunningSystem) -> None:
    async with asyncio.TaskGroup() as requests:
        for number in itertools.count():
            requests.create_task(_request(system, number))
            await asyncio.sleep(LOAD_PAUSE_SECONDS)


async def _request(system: RunningSystem, number: int) -> None:
    body = {"type": "text", "text": "Hello", "recipients": recipients(20, start=5_000_000 + 20 * number)}
    with contextlib.suppress(OSError, ClientError, TimeoutError):
        await system.ask("POST", "/packages/outages/messages/open", body, Prefer="respond-async")


async def test_every_service_is_ready_again_after_two_outages(
    loaded: RunningSystem, keep: Callable[[str, Mapping[str, Any]], None]
) -> None:
    chance = Random(SEED)
    pairs = tuple(itertools.islice(itertools.cycle((*FIRST_PAIRS, *PAIRS)), CYCLES))
    longest = dict[str, float]()
    for number, (first, second) in enumerate(pairs):
        for victim, pause in ((first, chance.uniform(*BETWEEN_SECONDS)), (second, 0.0)):
            _kill(loaded, victim, chance)
            await asyncio.sleep(pause)
        await _servers_run(loaded)
        began = time.monotonic()
        for service in SERVICES:
            await eventually(lambda service=service: _readiness(loaded, service), READY_SECONDS, "ready".__eq__)
        longest[f"{number} {first} {second}"] = round(time.monotonic() - began, 1)
    keep("double_outages", {"cycles": len(pairs), "ready_within_seconds": max(longest.values()), "each": longest})


def _kill(system: RunningSystem, victim: str, chance: Random) -> None:
    pid = system.pid(victim)
    if pid is None:
        return  # the keeper is starting it at this time
    how = chance.choice((signal.SIGQUIT, signal.SIGKILL)) if victim == "postgres" else signal.SIGKILL
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, how)


async def _servers_run(system: RunningSystem) -> None:
    """Both servers accept connections again: from here the services have their 20 seconds."""

    async def run() -> bool:
        for name in ("kafka", "postgres"):
            if system.pid(name) is None:
                return False
        return await _accepts(system.ports["kafka"]) and await _accepts(system.ports["postgres"])

    await eventually(run, 60)


async def _accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def _readiness(system: RunningSystem, service: str) -> str:
    """`ready`, or what the service waits for."""
    try:
        answer = await system.ready(service)
    except (OSError, ClientError) as error:
        return f"{service} does not answer: {error}"
    return "ready" if answer.status == 200 else f"{service}: {answer.body}"
