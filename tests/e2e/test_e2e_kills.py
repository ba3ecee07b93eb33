"""Kills: each process is killed with SIGKILL while messages are under way; all arrive, and none arrives twice.

This measures the restart of each single process. In the ordinary suite, the tests of chaos and of double outages kill
the processes.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from aiohttp import ClientError
from e2e.system import SERVICES, RunningSystem, assert_within_limits, eventually, recipients

pytestmark = [pytest.mark.e2e, pytest.mark.recorded, pytest.mark.timeout(420)]

VICTIMS = ("sender", "pacer", "router", "ingress", "kafka", "postgres", "stats", "console", "simulator")
WITH_A_REQUEST = ("router", "ingress")
"""They are not involved in deliveries that are already held, so each is killed right after one more request."""
PROFILES = 4
LIMITS = {"per_hour": 5, "per_3_hours": 10, "per_day": 70}
DELIVERIES = 500
"""With these limits they take longer than all the kills."""
BETWEEN = 20
"""Deliveries that must arrive before the next kill, as a proof that the system works again."""
SHORT_GAP = {"min_seconds": 1, "max_seconds": 1}
"""A gap so short that only the limits hold deliveries back."""
WIDE = {"per_hour": 3_000, "per_3_hours": 9_000, "per_day": 20_000, "unanswered_per_30_days": None}
RECORDS_OF_TWO = 501
"""Recipients of a request that needs two records, and therefore passes through the outbox of ingress."""


async def test_all_messages_arrive_once_while_each_process_is_killed(
    fast: RunningSystem, keep: Callable[[str, Mapping[str, Any]], None]
) -> None:
    limits = {**LIMITS, "per_recipient_per_day": None}
    profiles = await fast.create_package("killed", PROFILES, profile_limits=limits, gap=SHORT_GAP)
    await fast.create_package("hasty", PROFILES, profile_limits=WIDE, gap=SHORT_GAP)
    people = recipients(DELIVERIES, start=1_000)
    accepted = {await _send(fast, "killed", people): people}

    async def arrived(package: str = "killed") -> list[dict[str, Any]]:
        try:
            return [line for line in await fast.ledger() if line["package"] == package and line["ok"]]
        except (OSError, ClientError):  # the simulator was killed and is not back yet
            return []

    goal, restarts = BETWEEN, dict[str, asyncio.Task[float]]()
    async with asyncio.TaskGroup() as watching:
        for number, victim in enumerate(VICTIMS):
            seen = len(await eventually(arrived, 90, lambda lines, goal=goal: len(lines) >= goal))
            assert seen < DELIVERIES, f"all had arrived before {victim} was killed: the kill tests nothing"
            if victim in WITH_A_REQUEST:
                more = recipients(RECORDS_OF_TWO, start=10_000 + 1_000 * number)
                accepted[await _send(fast, "hasty", more)] = more
            killed, goal = fast.kill(victim), seen + BETWEEN
            restarts[victim] = watching.create_task(_recovery_seconds(fast, victim, killed))

            async def runs_again(victim: str = victim, killed: int = killed) -> bool:
                return fast.pid(victim) not in (None, killed)

            await eventually(runs_again, 60)
    for message, asked in accepted.items():
        await _all_sent(fast, message, len(asked))
    lines = await arrived()
    assert Counter(line["recipient"] for line in lines) == Counter(people)
    hasty = Counter(line["recipient"] for line in await arrived("hasty"))
    assert hasty == Counter(person for asked in accepted.values() for person in asked if asked is not people)
    full = set[str]()
    for profile in profiles:
        full |= assert_within_limits([line for line in lines if line["profile"] == profile], LIMITS)
    assert full >= {"per_hour", "per_3_hours"}, "a limit was never reached"
    seconds = {victim: round(back.result(), 1) for victim, back in restarts.items()}
    keep("restarts", {"from": "kill -9 until it runs, and it and all that lean on it are ready", "seconds": seconds})


async def _recovery_seconds(system: RunningSystem, victim: str, killed: int) -> float:
    """Seconds from the kill until the process works again; for a server, until all services do."""
    began, affected = time.monotonic(), (victim,) if victim in SERVICES else SERVICES

    async def works() -> bool:
        if system.pid(victim) in (None, killed):
            return False
        try:
            return all([(await system.ready(each)).status == 200 for each in affected])
        except (OSError, ClientError):
            return False

    await eventually(works, 120)
    return time.monotonic() - began


async def _send(system: RunningSystem, package: str, people: Sequence[str]) -> str:
    body = {"type": "text", "text": "Hello", "recipients": people}
    answer = await system.ask("POST", f"/packages/{package}/messages/open", body, Prefer="respond-async")
    assert answer.status == 202, answer.body
    return answer.body["message_id"]


async def _all_sent(system: RunningSystem, message: str, deliveries: int) -> None:
    async def counts() -> dict[str, int]:
        return (await system.ask("GET", f"/messages/{message}")).body.get("counts", {})

    def all_sent(seen: dict[str, int]) -> bool:
        return sum(seen.get(status, 0) for status in ("sent", "delivered", "read")) == deliveries

    assert sum((await eventually(counts, 240, all_sent)).values()) == deliveries
