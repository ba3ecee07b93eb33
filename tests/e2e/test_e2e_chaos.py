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
from e2e.callers import Callers
from e2e.chaos import REPLICATED, Faults, Fleet
from e2e.ends import Settling, contradictions, ends, statuses, totals
from e2e.system import Response, RunningSystem, assert_within_limits, eventually, recipients

SECONDS = float(os.environ.get("SPREADER_CHAOS_SECONDS", "90"))
SEED = int(os.environ.get("SPREADER_CHAOS_SEED", "7"))
PACKAGE = "storm"
PROFILES = 8
LIMITS = {"per_hour": 3, "per_3_hours": 8, "per_day": 60, "per_recipient_per_day": None}
"""On average the callers ask for half of what these limits permit, so limits hold back what waited for an outage."""
CALLER_PAUSE_SECONDS = 1.0
READY_SECONDS = 60.0
LEAST_SECONDS = 60.0

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(int(SECONDS * 3 + 900))]


@pytest.fixture
async def fleet(fast: RunningSystem) -> AsyncGenerator[Fleet]:
    async with Fleet.started(fast) as fleet:
        yield fleet


async def test_nothing_is_lost_or_sent_twice_under_random_faults(
    fleet: Fleet, keep: Callable[[str, Mapping[str, Any]], None]
) -> None:
    system, notes = fleet.system, list[str]()
    limits = {**LIMITS, "unanswered_per_30_days": None}
    profiles = await system.create_package(
        PACKAGE, PROFILES, profile_limits=limits, gap={"min_seconds": 1, "max_seconds": 40}
    )
    began = time.monotonic()
    faults = Faults(fleet, Random(SEED), lambda text: notes.append(f"{time.monotonic() - began:7.1f} s  {text}"))
    callers = Callers(fleet, PACKAGE, Random(SEED + 1))
    async with asyncio.TaskGroup() as running:
        running.create_task(faults.run(SECONDS))
        running.create_task(callers.run(SECONDS, CALLER_PAUSE_SECONDS))
    accepted, stopped = callers.accepted, time.monotonic()
    await eventually(fleet.all_ready, READY_SECONDS)
    ready_after = time.monotonic() - stopped
    previewed = await _previewed_seconds(system)
    allowed = max(LEAST_SECONDS, 2 * previewed)
    await eventually(Settling(system, accepted).waiting, allowed, lambda waiting: not waiting)
    settled_after = time.monotonic() - stopped
    ledger = [line for line in await system.ledger() if line["package"] == PACKAGE]
    ended = await statuses(system, accepted)
    assert contradictions(ended, await ends(system, PACKAGE), ledger) == []
    lines = [line for line in ledger if line["ok"]]
    sent, answered = Counter(line["recipient"] for line in lines), accepted.answered
    assert set(sent) <= accepted.people
    assert [person for person, times in sent.items() if times > 1 and person not in answered] == []
    full = set[str]()
    for profile in profiles:
        opened = [line for line in lines if line["profile"] == profile and line["recipient"] not in answered]
        full |= assert_within_limits(opened, LIMITS)
    assert full, "no limit was reached, so none was tested"
    keep(
        "chaos",
        {
            "seconds": SECONDS, "clock_speed": system.speed, "instances": dict.fromkeys(REPLICATED, 3), "seed": SEED,
            "faults": dict(sorted(faults.counts.items())), "accepted_deliveries": accepted.deliveries,
            "ended": totals(ended), "lost": 0, "open_twice": 0,
            "replies_twice": sum(times > 1 for person, times in sent.items() if person in answered),
            "over_a_limit": 0, "limits_reached": sorted(full), "seconds_until_all_ready": round(ready_after, 1),
            "seconds_previewed": round(previewed, 1), "seconds_until_all_ended": round(settled_after, 1),
            "seconds_allowed": round(allowed, 1),
        },
    )  # fmt: skip


async def _previewed_seconds(system: RunningSystem) -> float:
    """Real seconds until all is sent that waits now, by the preview of a message to one further recipient a profile.

    The preview forecasts when these last ones would be sent, in the system's time. They come after everything that
    waits. When nothing waits, it is the time for these few: at most an hour of the system's time (3 s) if an hour's
    limit is full.
    """
    body = {"type": "text", "text": "Hello", "recipients": recipients(PROFILES)}

    async def previewed() -> Response:
        return await system.ask("POST", f"/packages/{PACKAGE}/messages/preview", body)

    answer = await eventually(previewed, READY_SECONDS, _is_complete)
    now = (await system.ask("GET", f"/packages/{PACKAGE}/queue")).body["at"]
    completion = answer.body["estimated_completion"]
    return (datetime.fromisoformat(completion) - datetime.fromisoformat(now)).total_seconds() / system.speed


def _is_complete(answer: Response) -> bool:
    """Whether the preview foresees an end, with every profile."""
    return answer.status == 200 and len(answer.body["distribution"]) == PROFILES and answer.body["estimated_completion"]
