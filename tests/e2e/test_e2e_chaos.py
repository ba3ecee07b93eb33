"""Chaos: three instances of everything under random faults; every accepted delivery ends once, none is sent twice.

`make chaos` runs an hour of it and keeps the result; `SPREADER_CHAOS_SECONDS` and `SPREADER_CHAOS_SEED` change that.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping
from datetime import datetime
from random import Random
from typing import Any

import pytest
from aiohttp import ClientError
from e2e.chaos import LIMITS, REPLICATED, Accepted, Callers, Faults, Fleet
from e2e.system import Response, RunningSystem, assert_within_limits, eventually

SECONDS = float(os.environ.get("SPREADER_CHAOS_SECONDS", "60"))
SEED = int(os.environ.get("SPREADER_CHAOS_SEED", "7"))
CALLER_PAUSE_SECONDS = 1.5
PROFILES = 8
SPEED = 600.0
READY_SECONDS = 60.0
LEAST_SECONDS = 60.0
FINAL = ("sent", "delivered", "read", "failed", "expired", "cancelled", "suppressed", "rejected", "unknown")

pytestmark = [pytest.mark.e2e, pytest.mark.recorded, pytest.mark.timeout(int(SECONDS * 4 + 900))]


@pytest.fixture
async def fleet(tmp_path_factory: pytest.TempPathFactory, current_system: Any) -> AsyncGenerator[Fleet]:
    await current_system.stop()
    system = RunningSystem(tmp_path_factory.mktemp("chaos") / "system", SPEED)
    await system.start()
    try:
        async with Fleet.started(system) as fleet:
            yield fleet
    finally:
        await system.stop()


async def test_nothing_is_lost_or_sent_twice_under_random_faults(
    fleet: Fleet, keep: Callable[[str, Mapping[str, Any]], None]
) -> None:
    system, notes = fleet.system, list[str]()
    gap = {"min_seconds": 1, "max_seconds": 20}
    profiles = await system.create_package("storm", PROFILES, profile_limits=LIMITS, gap=gap)
    began = time.monotonic()
    faults = Faults(fleet, Random(SEED), lambda text: notes.append(f"{time.monotonic() - began:7.1f} s  {text}"))
    callers = Callers(fleet, "storm", Random(SEED + 1))
    async with asyncio.TaskGroup() as running:
        running.create_task(faults.run(SECONDS))
        running.create_task(callers.run(SECONDS, CALLER_PAUSE_SECONDS))
    stopped = time.monotonic()
    await eventually(fleet.all_ready, READY_SECONDS)
    ready_after = time.monotonic() - stopped
    allowed = max(LEAST_SECONDS, 2 * await _foreseen_seconds(system))
    statuses = await eventually(
        lambda: _statuses(system, callers.accepted), allowed, lambda seen: _all_final(seen, callers.accepted)
    )
    settled_after = time.monotonic() - stopped
    lines = [line for line in await system.ledger() if line["package"] == "storm" and line["ok"]]
    sent = Counter(line["recipient"] for line in lines)
    replied = set(callers.accepted.replies.values())
    twice_open = sorted(person for person, times in sent.items() if times > 1 and person not in replied)
    lost = _lost(callers.accepted, statuses, sent)
    assert twice_open == []
    assert lost == []
    for profile in profiles:
        opened = [line for line in lines if line["profile"] == profile and line["recipient"] not in replied]
        assert_within_limits(opened, LIMITS)
    totals = Counter[str]()
    for counts in statuses.values():
        totals.update({status: counts.get(status, 0) for status in FINAL})
    assert sum(totals.values()) == callers.accepted.deliveries, "a delivery ended in no state, or in two"
    keep(
        "chaos",
        {
            "seconds": SECONDS, "instances": dict.fromkeys(REPLICATED, 3), "seed": SEED,
            "faults": dict(sorted(faults.counts.items())), "accepted_deliveries": callers.accepted.deliveries,
            "ended": {status: count for status, count in totals.items() if count}, "lost": 0, "open_twice": 0,
            "replies_twice": sum(times > 1 for person, times in sent.items() if person in replied), "over_a_limit": 0,
            "seconds_until_all_ready": round(ready_after, 1), "seconds_until_all_ended": round(settled_after, 1),
            "seconds_allowed": round(allowed, 1),
        },
    )  # fmt: skip


def _lost(accepted: Accepted, statuses: Mapping[str, Mapping[str, int]], sent: Mapping[str, int]) -> list[str]:
    """The messages of which fewer recipients than promised are in the send ledger.

    Every reply must be there. An open delivery may be missing only if it ended as `unknown` or `failed`.
    """
    lost = [message for message, person in accepted.replies.items() if sent[person] == 0]
    for message, people in accepted.open.items():
        excused = statuses[message].get("unknown", 0) + statuses[message].get("failed", 0)
        if sum(sent[person] == 0 for person in people) > excused:
            lost.append(message)
    return lost


async def _foreseen_seconds(system: RunningSystem) -> float:
    """Real seconds that the forecast gives for everything that waits now; it is given in the system's time."""

    async def foreseen() -> Response:
        return await system.ask("POST", "/packages/storm/what-if", {})

    answer = await eventually(foreseen, READY_SECONDS, lambda answer: answer.status == 200)
    completion, now = answer.body["now"]["completion"], (await system.ask("GET", "/packages/storm/queue")).body["at"]
    if completion is None:
        return 0.0
    return (datetime.fromisoformat(completion) - datetime.fromisoformat(now)).total_seconds() / SPEED


async def _statuses(system: RunningSystem, accepted: Accepted) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    try:
        for message in (*accepted.open, *accepted.replies):
            found[message] = (await system.ask("GET", f"/messages/{message}")).body.get("counts", {})
    except (OSError, ClientError):
        return {}
    return found


def _all_final(statuses: Mapping[str, Mapping[str, int]], accepted: Accepted) -> bool:
    expected = {
        **{message: len(people) for message, people in accepted.open.items()},
        **dict.fromkeys(accepted.replies, 1),
    }
    return all(
        sum(statuses.get(message, {}).get(status, 0) for status in FINAL) == count
        for message, count in expected.items()
    )
