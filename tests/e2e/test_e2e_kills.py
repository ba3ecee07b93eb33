"""Every process killed with -9, one after the other, while one campaign is under way: all arrive, none twice."""

from collections import Counter
from typing import Any

import pytest
from aiohttp import ClientError
from e2e.running import Running, eventually, recipients, within_limits

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(420)]

VICTIMS = ("sender", "pacer", "router", "ingress", "kafka", "postgres", "stats", "simulator")
PROFILES = 4
LIMITS = {"per_hour": 20, "per_3_hours": 50, "per_day": 100}
DELIVERIES = 500
"""At these limits they take longer than the kills."""
BETWEEN = 20
"""Deliveries that arrive before the next kill: the system is on its feet again."""


async def test_all_arrive_and_none_twice_while_each_process_is_killed(fast: Running) -> None:
    profiles = await fast.package("killed", PROFILES, profile_limits={**LIMITS, "per_recipient_per_day": None})
    people = recipients(DELIVERIES, start=1_000)
    body = {"type": "text", "text": "Hello", "recipients": people}
    answer = await fast.ask("POST", "/packages/killed/messages/open", body)
    assert answer.status == 202, answer.body

    async def arrived() -> list[dict[str, Any]]:
        try:
            return [line for line in await fast.ledger() if line["package"] == "killed" and line["ok"]]
        except (OSError, ClientError):  # the simulator is the victim and not back yet
            return []

    goal = BETWEEN
    for victim in VICTIMS:
        seen = len(await eventually(arrived, 90, lambda lines, goal=goal: len(lines) >= goal))
        assert seen < DELIVERIES, f"all had arrived before {victim} was killed: it shows nothing"
        killed, goal = fast.kill(victim), seen + BETWEEN

        async def is_back(victim: str = victim, killed: int = killed) -> bool:
            return fast.pid(victim) not in (None, killed)

        await eventually(is_back, 60)
    message = f"/messages/{answer.body['message_id']}"

    async def counts() -> dict[str, int]:
        return (await fast.ask("GET", message)).body.get("counts", {})

    def all_sent(seen: dict[str, int]) -> bool:
        return sum(seen.get(status, 0) for status in ("sent", "delivered", "read")) == DELIVERIES

    assert sum((await eventually(counts, 240, all_sent)).values()) == DELIVERIES
    lines = await arrived()
    assert Counter(line["recipient"] for line in lines) == Counter(people)
    for profile in profiles:
        within_limits([line for line in lines if line["profile"] == profile], LIMITS)
