"""Two outages in a row: Kafka, Postgres and every service, in every order; each service works again in time.

A service works again when messages that were accepted after the outages have passed through it, and it is ready then.
`make chaos` runs 100 cycles of all pairs (`SPREADER_CHAOS_CYCLES`) and keeps the result.
"""

import asyncio
import contextlib
import itertools
import os
import signal
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Set
from random import Random
from typing import Any

import pytest
from aiohttp import ClientError
from e2e.probes import Probe
from e2e.system import RunningSystem, eventually, recipients

SERVICES = ("ingress", "router", "pacer", "sender", "stats")
CYCLES = int(os.environ.get("SPREADER_CHAOS_CYCLES", "5"))
SEED = 11
WORKS_SECONDS = 20.0
RECEIPTS_SECONDS = 60.0
RESTART_SECONDS = 120.0
SERVERS = ("kafka", "postgres")
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


async def test_every_service_works_again_after_two_outages(
    loaded: RunningSystem, keep: Callable[[str, Mapping[str, Any]], None]
) -> None:
    chance = Random(SEED)
    pairs = tuple(itertools.islice(itertools.cycle((*FIRST_PAIRS, *PAIRS)), CYCLES))
    await Probe.prepare(loaded)
    longest = dict[str, float]()
    for number, (first, second) in enumerate(pairs):
        killed = set[int]()
        for victim, pause in ((first, chance.uniform(*BETWEEN_SECONDS)), (second, 0.0)):
            killed.add(await _kill(loaded, victim, chance))
            await asyncio.sleep(pause)
        await eventually(lambda killed=killed: _servers_run(loaded, killed), RESTART_SECONDS)
        began = time.monotonic()
        probe = Probe(loaded, number)
        await eventually(lambda probe=probe: _not_working(loaded, probe), WORKS_SECONDS, "".__eq__)
        seconds = time.monotonic() - began
        assert seconds <= WORKS_SECONDS, f"after {first} and {second}, all services worked after {seconds:.1f} s"
        longest[f"{number} {first} {second}"] = round(seconds, 1)
        await eventually(probe.unreported, RECEIPTS_SECONDS, "".__eq__)
    keep("double_outages", {"cycles": len(pairs), "works_within_seconds": max(longest.values()), "each": longest})


async def _kill(system: RunningSystem, victim: str, chance: Random) -> int:
    """Kill the process as soon as it runs; returns its id."""
    how = chance.choice((signal.SIGQUIT, signal.SIGKILL)) if victim == "postgres" else signal.SIGKILL

    async def killed() -> int | None:
        pid = system.pid(victim)
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):  # it has just ended by itself and will be started again
                os.kill(pid, how)
                return pid
        return None

    pid = await eventually(killed, RESTART_SECONDS)
    assert pid is not None
    return pid


async def _servers_run(system: RunningSystem, killed: Set[int]) -> bool:
    """Both servers accept connections, and no killed process does so while it ends.

    From here the services have their 20 seconds.
    """
    return all([
        system.pid(name) not in (None, *killed) and await _accepts(system.ports[name]) for name in SERVERS
    ])  # fmt: skip


async def _accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def _not_working(system: RunningSystem, probe: Probe) -> str:
    """What is missing until every service has worked for the probe and is ready; empty when nothing is."""
    return await probe.missing() or "; ".join([
        missing for service in SERVICES if (missing := await _not_ready(system, service))
    ])  # fmt: skip


async def _not_ready(system: RunningSystem, service: str) -> str:
    try:
        answer = await system.ready(service)
    except (OSError, ClientError) as error:
        return f"{service} does not answer: {error}"
    return "" if answer.status == 200 else f"{service} is not ready: {answer.body}"
