"""Three pacers at once on one package, two of them killed at random: no limit broken, nothing lost or twice."""

import contextlib
import random
from collections import Counter
from collections.abc import AsyncGenerator

import pytest
from e2e.running import Another, Running, eventually, recipients, within_limits

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

LIMITS = {"per_hour": 40, "per_3_hours": 90, "per_day": 400, "per_recipient_per_day": 1}
CONCURRENT, PROFILES, DELIVERIES = 2, 6, 300
KILLS_MIN = 4
SEED = 20


@contextlib.asynccontextmanager
async def two_more_pacers(system: Running) -> AsyncGenerator[list[Another]]:
    others = [await system.another("pacer"), await system.another("pacer")]
    try:
        yield others
    finally:
        for other in others:
            await other.kill()


async def test_three_pacers_keep_every_limit_while_two_are_killed_at_random(fast: Running) -> None:
    chance = random.Random(SEED)
    profiles = await fast.package(
        "trio", PROFILES, profile_limits=LIMITS, rest_window=None, limits={"concurrent_sends": CONCURRENT}
    )
    people = recipients(DELIVERIES, start=700_000)

    async def lines() -> list[dict[str, str]]:
        return [line for line in await fast.ledger() if line["package"] == "trio"]

    kills = 0
    async with two_more_pacers(fast) as others:
        body = {"type": "text", "text": "Hello", "recipients": people}
        answer = await fast.ask("POST", "/packages/trio/messages/open", body)
        assert answer.status == 202, answer.body
        seen = 0
        while seen < DELIVERIES:
            goal = min(seen + chance.randint(20, 60), DELIVERIES)
            seen = len(await eventually(lines, 120, lambda found, goal=goal: len(found) >= goal))
            if seen < DELIVERIES:
                victim = chance.choice(others)
                await victim.kill()
                await victim.start()
                kills += 1
    assert kills >= KILLS_MIN, "the pacers were not killed while the deliveries were under way"

    message = f"/messages/{answer.body['message_id']}"

    async def settled() -> dict[str, int]:
        return (await fast.ask("GET", message)).body["counts"]

    await eventually(settled, 60, lambda counts: counts["sent"] + counts["delivered"] + counts["read"] == DELIVERIES)
    reached = [line for line in await lines() if line["ok"]]
    times = Counter(line["recipient"] for line in reached)
    assert [line for line in reached if times[line["recipient"]] > 1] == [], "somebody got it twice"
    assert times.keys() == set(people)
    for profile in profiles:
        within_limits([line for line in reached if line["profile"] == profile], LIMITS)
    most = (await fast.ask_simulator("GET", "/concurrency")).body["most"]
    assert 1 <= most["trio"] <= CONCURRENT
