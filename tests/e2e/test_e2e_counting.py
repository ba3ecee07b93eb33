"""Counting: the windows of stats equal a recount of the send ledger, even if stats is killed and records repeat."""

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator, Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from e2e.system import RunningSystem, eventually, recipients, send_times

from spreader.contract.events import DeliveryOutcome

pytestmark = [pytest.mark.e2e, pytest.mark.recorded, pytest.mark.timeout(1800)]

SPEED = 60.0  # an hour takes a minute: the windows differ, and at times nothing crosses the edge of a window
PROFILES, CAMPAIGNS, CAMPAIGN_DELIVERIES = 20, 10, 5_000
FREE = {
    "per_hour": 100_000,
    "per_3_hours": 300_000,
    "per_day": 800_000,
    "unanswered_per_30_days": None,
    "per_recipient_per_day": None,
}
WINDOWS = {
    "hour": timedelta(hours=1),
    "two_hours": timedelta(hours=2),
    "three_hours": timedelta(hours=3),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
}
AT_ONCE = {"waiting_strategy": "immediate"}
QUIET = timedelta(minutes=2)
"""No send may be this close to the edge of a window: the times of a send and of its outcome differ a little."""
SENT_BETWEEN_KILLS = (500, 4_000)
DOUBLED_SHARE = 0.1
SEED = 7


@contextlib.asynccontextmanager
async def _in_background(work: Callable[[], Any]) -> AsyncGenerator[None]:
    """Run `work` until the block ends. Its exceptions are raised at the end."""
    task = asyncio.ensure_future(work())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


class _Disturber:
    """Kills stats at random times, and publishes some outcomes again, some of them much later."""

    def __init__(self, system: RunningSystem) -> None:
        self.system = system
        self.chance = random.Random(SEED)
        self.kills = 0
        self.doubled = 0

    async def kill(self) -> None:
        goal = 0
        while True:
            goal += self.chance.randint(*SENT_BETWEEN_KILLS)
            await eventually(self.system.ledger, 1_000, lambda lines, goal=goal: len(lines) >= goal)
            if self.system.pid("stats") is not None:
                self.system.kill("stats")
                self.kills += 1

    async def double(self) -> None:
        servers = f"127.0.0.1:{self.system.ports['kafka']}"
        consumer = AIOKafkaConsumer(DeliveryOutcome.topic, bootstrap_servers=servers, auto_offset_reset="earliest")
        producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all")
        kept: list[Any] = []
        async with producer, consumer:
            async for record in consumer:
                if self.chance.random() < DOUBLED_SHARE:
                    kept.append(record)
                if kept and self.chance.random() < DOUBLED_SHARE:
                    again = kept.pop(self.chance.randrange(len(kept)))
                    await producer.send_and_wait(
                        again.topic, again.value, again.key, partition=again.partition, headers=list(again.headers)
                    )
                    self.doubled += 1


async def _windows(system: RunningSystem) -> tuple[datetime, dict[str, dict[str, int]]] | None:
    """The time, and how many messages each profile sent in each window; None while stats is down."""
    try:
        answer = await system.ask_at("stats", "/api/v1/live?package_id=counted")
    except OSError:
        return None
    if answer.status != 200:
        return None
    counts = {
        state["profile_id"]: {name: state["windows"][name]["sent"] for name in WINDOWS} for state in answer.body["data"]
    }
    return datetime.fromisoformat(answer.body["at"]), counts


async def test_every_window_of_fifty_thousand_is_a_recount_of_the_ledger(
    tmp_path: Path, keep: Callable[[str, Mapping[str, Any]], None]
) -> None:
    system = RunningSystem(tmp_path / "home", SPEED)
    await system.start()
    try:
        profiles = await system.create_package(
            "counted", PROFILES, profile_limits=FREE, limits={"concurrent_sends": 500}
        )
        disturber = _Disturber(system)
        async with _in_background(disturber.kill), _in_background(disturber.double):
            for number in range(CAMPAIGNS):
                people = recipients(CAMPAIGN_DELIVERIES, start=7_000_000 + number * CAMPAIGN_DELIVERIES)
                body = {
                    "type": "text",
                    "text": "Hello",
                    "recipients": people,
                    "options": {"waiting_strategy": "immediate"},
                }
                answer = await system.ask("POST", "/packages/counted/messages/open", body)
                assert answer.status == 202, answer.body

                async def sent(goal: int = (number + 1) * CAMPAIGN_DELIVERIES) -> bool:
                    return sum(line["ok"] for line in await system.ledger()) >= goal

                await eventually(sent, 300)
                await eventually(lambda: _is_quiet(system), 60)
        assert disturber.kills >= CAMPAIGNS
        lines = [line for line in await system.ledger() if line["ok"]]
        assert len(lines) == CAMPAIGNS * CAMPAIGN_DELIVERIES
        compared = await _compare(system, profiles, lines)
    finally:
        await system.stop()
    keep(
        "counting",
        {
            "sent": len(lines),
            "kills_of_stats": disturber.kills,
            "outcomes_told_twice": disturber.doubled,
            "windows_compared": compared,
            "windows_that_differ": 0,
        },
    )


async def test_doubled_and_disordered_receipts_are_counted_once(
    tmp_path: Path, keep: Callable[[str, Mapping[str, Any]], None]
) -> None:
    """Both the counts of stats and the statuses of ingress equal the receipts."""
    system = RunningSystem(tmp_path / "home", SPEED, {"SPREADER_SIMULATOR_READ_SHARE": "1"})
    await system.start()
    try:
        await system.create_package("counted", PROFILES, profile_limits=FREE, limits={"concurrent_sends": 500})
        for kind in ("double_receipts", "disordered_receipts"):
            assert (await system.ask_simulator("POST", "/faults", {"kind": kind})).status == 201
        body = {
            "type": "text",
            "text": "Hello",
            "recipients": recipients(CAMPAIGN_DELIVERIES, start=8_000_000),
            "options": AT_ONCE,
        }
        message = (await system.ask("POST", "/packages/counted/messages/open", body)).body["message_id"]

        async def counts() -> tuple[dict[str, int], dict[str, int]]:
            shown = (await system.ask("GET", f"/messages/{message}")).body["counts"]
            states = (await system.ask_at("stats", "/api/v1/live?package_id=counted")).body["data"]
            names = ("sent", "delivered", "read", "failed")
            return shown, {name: sum(each["windows"]["week"][name] for each in states) for name in names}

        def all_read(seen: tuple[dict[str, int], dict[str, int]]) -> bool:
            return seen[0]["read"] == CAMPAIGN_DELIVERIES and seen[1]["read"] == CAMPAIGN_DELIVERIES

        shown, counted = await eventually(counts, 400, all_read)
        hits = [each["hits"] for each in (await system.ask_simulator("GET", "/faults")).body["data"]]
        assert hits == [CAMPAIGN_DELIVERIES, CAMPAIGN_DELIVERIES]
        assert {name: count for name, count in shown.items() if count} == {"read": CAMPAIGN_DELIVERIES}
        assert counted == {
            "sent": CAMPAIGN_DELIVERIES,
            "delivered": CAMPAIGN_DELIVERIES,
            "read": CAMPAIGN_DELIVERIES,
            "failed": 0,
        }
    finally:
        await system.stop()
    keep(
        "receipts",
        {
            "deliveries": CAMPAIGN_DELIVERIES,
            "receipts": 2 * CAMPAIGN_DELIVERIES,
            "told": 4 * CAMPAIGN_DELIVERIES,
            **counted,
        },
    )


async def _is_quiet(system: RunningSystem) -> bool:
    """Whether the last send is so long ago that the edge of a window fits between this campaign and the next."""
    now = (await system.ask("GET", "/packages/counted/queue")).body["at"]
    return datetime.fromisoformat(now) - send_times(await system.ledger())[-1] > 3 * QUIET


async def _compare(system: RunningSystem, profiles: list[str], lines: list[dict[str, Any]]) -> int:
    """Assert that each window of stats equals the ledger; returns the number of compared windows.

    Each window is read when no send is near its edge.
    """
    times_by_profile = {
        profile: send_times([line for line in lines if line["profile"] == profile]) for profile in profiles
    }
    all_times = send_times(lines)
    compared = 0
    for name, window in WINDOWS.items():

        async def at_a_quiet_edge(window: timedelta = window) -> tuple[datetime, dict[str, dict[str, int]]] | None:
            counts = await _windows(system)
            if counts is None or counts[0] - all_times[-1] < QUIET:
                return None
            edge = counts[0] - window
            return None if any(abs(time - edge) < QUIET for time in all_times) else counts

        windows = await eventually(at_a_quiet_edge, 240)
        assert windows is not None
        at, counts = windows
        for profile in profiles:
            recount = sum(time > at - window for time in times_by_profile[profile])
            assert counts[profile][name] == recount, f"{name} of {profile}: the ledger has {recount}"
            compared += 1
    return compared
