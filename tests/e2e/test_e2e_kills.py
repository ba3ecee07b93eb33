"""Every process killed with -9 while 500 deliveries are under way: all arrive, none twice."""

from collections import Counter

import pytest
from e2e.running import Running, eventually, recipients

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

VICTIMS = ("ingress", "router", "pacer", "sender", "stats", "simulator", "kafka", "postgres")
BRISK = {"per_hour": 150, "per_3_hours": 450, "per_day": 3_000, "per_recipient_per_day": None}
DELIVERIES = 500
UNDER_WAY = 40


@pytest.mark.parametrize("victim", VICTIMS)
@pytest.mark.usefixtures("thousand")
async def test_all_arrive_and_none_twice_when_one_is_killed(fast: Running, victim: str) -> None:
    package = f"kill_{victim}"
    await fast.package(package, 4, profile_limits=BRISK, rest_window=None)
    people = recipients(DELIVERIES, start=1_000 * (1 + VICTIMS.index(victim)))
    answer = await fast.ask(
        "POST", f"/packages/{package}/messages/open", {"type": "text", "text": "Hello", "recipients": people}
    )
    assert answer.status == 202, answer.body
    mine = set(people)

    async def arrived() -> Counter[str]:
        return Counter(line["recipient"] for line in await fast.ledger() if line["recipient"] in mine and line["ok"])

    await eventually(arrived, 60, lambda seen: len(seen) >= UNDER_WAY)
    killed = fast.kill(victim)

    async def is_back() -> bool:
        return fast.pid(victim) not in (None, killed)

    await eventually(is_back, 60)

    async def seen_or_away() -> Counter[str]:
        try:
            return await arrived()
        except OSError:  # the simulator is the victim and not back yet
            return Counter()

    await eventually(seen_or_away, 150, lambda seen: len(seen) == DELIVERIES)
    message = f"/messages/{answer.body['message_id']}"

    async def settled() -> dict[str, int]:
        return (await fast.ask("GET", message)).body["counts"]

    counts = await eventually(settled, 60, lambda seen: seen["sent"] + seen["delivered"] + seen["read"] == DELIVERIES)
    assert sum(counts.values()) == DELIVERIES
    assert await arrived() == Counter(people)
