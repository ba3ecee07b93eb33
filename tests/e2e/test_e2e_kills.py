"""Every process killed with -9, one after the other, while messages are under way: all arrive, none twice."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from aiohttp import ClientError
from e2e.running import SERVICES, Running, eventually, recipients, within_limits

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(420)]

VICTIMS = ("sender", "pacer", "router", "ingress", "kafka", "postgres", "stats", "console", "simulator")
WITH_A_REQUEST = ("router", "ingress")
"""They have nothing to do for what is long under way: they die right after one more request was accepted."""
PROFILES = 4
LIMITS = {"per_hour": 5, "per_3_hours": 10, "per_day": 70}
DELIVERIES = 500
"""At these limits they take longer than the kills."""
BETWEEN = 20
"""Deliveries that arrive before the next kill: the system is on its feet again."""
AT_ONCE = {"min_seconds": 1, "max_seconds": 1}
"""A gap: what holds the deliveries is the limits alone."""
WIDE = {"per_hour": 3_000, "per_3_hours": 9_000, "per_day": 20_000, "unanswered_per_30_days": None}
RECORDS_OF_TWO = 501
"""Recipients of a request that takes two records, and so the way through ingress's outbox."""


async def test_all_arrive_and_none_twice_while_each_process_is_killed(
    fast: Running, keep: Callable[[str, Mapping[str, Any]], None]
) -> None:
    limits = {**LIMITS, "per_recipient_per_day": None}
    profiles = await fast.package("killed", PROFILES, profile_limits=limits, gap=AT_ONCE)
    await fast.package("hasty", PROFILES, profile_limits=WIDE, gap=AT_ONCE)
    people = recipients(DELIVERIES, start=1_000)
    accepted = {await _send(fast, "killed", people): people}

    async def arrived(package: str = "killed") -> list[dict[str, Any]]:
        try:
            return [line for line in await fast.ledger() if line["package"] == package and line["ok"]]
        except (OSError, ClientError):  # the simulator is the victim and not back yet
            return []

    goal, restarts = BETWEEN, dict[str, asyncio.Task[float]]()
    async with asyncio.TaskGroup() as watching:
        for number, victim in enumerate(VICTIMS):
            seen = len(await eventually(arrived, 90, lambda lines, goal=goal: len(lines) >= goal))
            assert seen < DELIVERIES, f"all had arrived before {victim} was killed: it shows nothing"
            if victim in WITH_A_REQUEST:
                more = recipients(RECORDS_OF_TWO, start=10_000 + 1_000 * number)
                accepted[await _send(fast, "hasty", more)] = more
            killed, goal = fast.kill(victim), seen + BETWEEN
            restarts[victim] = watching.create_task(_back(fast, victim, killed))

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
        full |= within_limits([line for line in lines if line["profile"] == profile], LIMITS)
    assert full >= {"per_hour", "per_3_hours"}, "a limit was never reached"
    seconds = {victim: round(back.result(), 1) for victim, back in restarts.items()}
    keep("restarts", {"from": "kill -9 until it runs, and it and all that lean on it are ready", "seconds": seconds})


async def _back(system: Running, victim: str, killed: int) -> float:
    """How many seconds after its death a process works again; of a server, all services."""
    began, leaning = time.monotonic(), (victim,) if victim in SERVICES else SERVICES

    async def works() -> bool:
        if system.pid(victim) in (None, killed):
            return False
        try:
            return all([(await system.ready(each)).status == 200 for each in leaning])
        except (OSError, ClientError):
            return False

    await eventually(works, 120)
    return time.monotonic() - began


async def _send(system: Running, package: str, people: Sequence[str]) -> str:
    body = {"type": "text", "text": "Hello", "recipients": people}
    answer = await system.ask("POST", f"/packages/{package}/messages/open", body, Prefer="respond-async")
    assert answer.status == 202, answer.body
    return answer.body["message_id"]


async def _all_sent(system: Running, message: str, deliveries: int) -> None:
    async def counts() -> dict[str, int]:
        return (await system.ask("GET", f"/messages/{message}")).body.get("counts", {})

    def all_sent(seen: dict[str, int]) -> bool:
        return sum(seen.get(status, 0) for status in ("sent", "delivered", "read")) == deliveries

    assert sum((await eventually(counts, 240, all_sent)).values()) == deliveries
