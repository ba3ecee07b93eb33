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
from collections import Counter
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
WORKS_SECONDS = 20.0 if CYCLES > 5 else 120.0
"""The ordinary suite shows that every service works again. How soon it does is measured by `make chaos` alone, because
here other tests use the second core."""
RECEIPTS_SECONDS = 60.0
RESTART_SECONDS = 120.0
ARRIVE_SECONDS = 120.0
SERVERS = ("kafka", "postgres")
BETWEEN_SECONDS = (2.0, 9.0)
LOAD_PAUSE_SECONDS = 0.2
PAIRS = tuple(itertools.permutations(("kafka", "postgres", *SERVICES), 2))
FIRST_PAIRS = (
    ("kafka", "postgres"), ("postgres", "kafka"), ("kafka", "postgres"), ("kafka", "sender"), ("postgres", "ingress"),
)  # fmt: skip

LARGE = "large"
FREE = {"per_hour": 100_000, "per_3_hours": 300_000, "per_day": 800_000, "unanswered_per_30_days": None}
RECORDS_OF_TWO = 501
"""Recipients of a message that needs two records, and therefore passes through the outbox of ingress."""

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(int(CYCLES * 60 + 300))]


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
    await loaded.create_package(LARGE, 4, profile_limits=FREE, limits={"concurrent_sends": 500})
    longest, people = dict[str, float](), list[str]()
    for number, (first, second) in enumerate(pairs):
        killed = set[int]()
        if (first, second) == ("postgres", "ingress"):
            people += await _send_large(loaded, len(people))
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
    await _assert_each_arrived_once(loaded, people)
    keep("double_outages", {"cycles": len(pairs), "works_within_seconds": max(longest.values()), "each": longest})


async def _send_large(system: RunningSystem, number: int) -> list[str]:
    """Returns the recipients of an accepted message with more than one record."""
    people = recipients(RECORDS_OF_TWO, start=6_000_000 + number)
    body = {"type": "text", "text": "Hello", "recipients": people, "options": {"waiting_strategy": "immediate"}}
    answer = await system.ask("POST", f"/packages/{LARGE}/messages/open", body, Prefer="respond-async")
    assert answer.status == 202, answer.body
    return people


async def _assert_each_arrived_once(system: RunningSystem, people: list[str]) -> None:
    async def arrived() -> Counter[str]:
        lines = await system.ledger()
        return Counter(line["recipient"] for line in lines if line["package"] == LARGE and line["ok"])

    await eventually(arrived, ARRIVE_SECONDS, lambda seen: len(seen) >= len(people))
    assert await arrived() == Counter(people)


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
