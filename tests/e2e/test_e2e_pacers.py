"""Three pacers on one package, two of them killed at random: limits hold, and each delivery arrives once.

`make record` runs it. The ordinary suite shows the same with three instances of every service (test_e2e_chaos).
"""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncGenerator, Sequence

import pytest
from e2e.system import ExtraProcess, RunningSystem, assert_within_limits, eventually, recipients

pytestmark = [pytest.mark.e2e, pytest.mark.recorded, pytest.mark.timeout(300)]

LIMITS = {"per_hour": 5, "per_3_hours": 10, "per_day": 60, "per_recipient_per_day": 1}
SHORT_GAP = {"min_seconds": 1, "max_seconds": 1}
"""A gap so short that only the limits hold deliveries back."""
CONCURRENT, PROFILES, DELIVERIES = 2, 6, 160
SEND_SECONDS = 0.05
"""Duration of each send at the gateway, so that sends overlap."""
KILLS_MIN = 4
SEED = 20


@contextlib.asynccontextmanager
async def two_more_pacers(system: RunningSystem) -> AsyncGenerator[Sequence[ExtraProcess]]:
    others = await asyncio.gather(system.start_extra_process("pacer"), system.start_extra_process("pacer"))
    try:
        yield others
    finally:
        for other in others:
            await other.kill()


@contextlib.asynccontextmanager
async def slow_gateway(system: RunningSystem, profiles: Sequence[str]) -> AsyncGenerator[None]:
    faults = list[str]()
    try:
        for profile in profiles:
            asked = {"kind": "delay", "profile": profile, "seconds": SEND_SECONDS}
            faults.append((await system.ask_simulator("POST", "/faults", asked)).body["id"])
        yield
    finally:
        for fault in faults:
            await system.ask_simulator("DELETE", f"/faults/{fault}")


async def test_three_pacers_keep_every_limit_while_two_are_killed_at_random(fast: RunningSystem) -> None:
    chance = random.Random(SEED)
    profiles = await fast.create_package(
        "trio", PROFILES, profile_limits=LIMITS, gap=SHORT_GAP, limits={"concurrent_sends": CONCURRENT}
    )
    people = recipients(DELIVERIES, start=700_000)

    async def lines() -> list[dict[str, str]]:
        return [line for line in await fast.ledger() if line["package"] == "trio"]

    kills = 0
    async with slow_gateway(fast, profiles), two_more_pacers(fast) as others:
        body = {"type": "text", "text": "Hello", "recipients": people}
        answer = await fast.ask("POST", "/packages/trio/messages/open", body)
        assert answer.status == 202, answer.body
        seen = 0
        while seen < DELIVERIES:
            goal = min(seen + chance.randint(10, 25), DELIVERIES)
            seen = len(await eventually(lines, 120, lambda found, goal=goal: len(found) >= goal))
            if seen < DELIVERIES:
                victim = chance.choice(others)
                await victim.wait_ready()  # it was restarted by its last kill
                await victim.kill()
                await victim.restart()
                kills += 1
    assert kills >= KILLS_MIN, "the pacers were not killed while the deliveries were under way"

    message = f"/messages/{answer.body['message_id']}"

    async def settled() -> dict[str, int]:
        return (await fast.ask("GET", message)).body["counts"]

    await eventually(settled, 60, lambda counts: counts["sent"] + counts["delivered"] + counts["read"] == DELIVERIES)
    reached = [line for line in await lines() if line["ok"]]
    times = Counter(line["recipient"] for line in reached)
    assert [line for line in reached if times[line["recipient"]] > 1] == [], "a delivery arrived twice"
    assert times.keys() == set(people)
    full = set[str]()
    for profile in profiles:
        full |= assert_within_limits([line for line in reached if line["profile"] == profile], LIMITS)
    assert full >= {"per_hour", "per_3_hours"}, "a limit was never reached"
    most = (await fast.ask_simulator("GET", "/concurrency")).body["most"]
    assert most["trio"] == CONCURRENT
