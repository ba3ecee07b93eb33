"""Counting: the windows of stats are a recount of the simulator's ledger, also when stats dies and records repeat."""

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator, Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from e2e.running import Running, eventually, moments, recipients

from spreader.contract.events import DeliveryOutcome

pytestmark = [pytest.mark.e2e, pytest.mark.recorded, pytest.mark.timeout(1800)]

SPEED = 60.0  # an hour in a minute: the windows differ, and each has moments at which nothing crosses its edge
PROFILES, CAMPAIGNS, EACH = 20, 10, 5_000
FREE = {
    "per_hour": 100_000, "per_3_hours": 300_000, "per_day": 800_000, "unanswered_per_30_days": None,
    "per_recipient_per_day": None,
}  # fmt: skip
WINDOWS = {
    "hour": timedelta(hours=1),
    "two_hours": timedelta(hours=2),
    "three_hours": timedelta(hours=3),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
}
AT_ONCE = {"waiting_strategy": "immediate"}
QUIET = timedelta(minutes=2)
"""At the edge of a window: the gateway's moment of a send and the outcome's are a little apart."""
SENT_BETWEEN_KILLS = (500, 4_000)
DOUBLED_SHARE = 0.1
SEED = 7


@contextlib.asynccontextmanager
async def _beside(work: Callable[[], Any]) -> AsyncGenerator[None]:
    """`work` goes on until the block is left; its failure is the test's."""
    task = asyncio.ensure_future(work())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


class _Disturber:
    """Kills stats at random moments, and writes some of the outcomes once more, some of them much later."""

    def __init__(self, system: Running) -> None:
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


async def _windows(system: Running) -> tuple[datetime, dict[str, dict[str, int]]] | None:
    """The moment, and what each profile sent in each window; None while stats is away."""
    try:
        answer = await system.ask_at("stats", "/api/v1/live?package_id=counted")
    except OSError:
        return None
    if answer.status != 200:
        return None
    told = {
        each["profile_id"]: {name: each["windows"][name]["sent"] for name in WINDOWS} for each in answer.body["data"]
    }
    return datetime.fromisoformat(answer.body["at"]), told


async def test_every_window_of_fifty_thousand_is_a_recount_of_the_ledger(
    tmp_path: Path, keep: Callable[[str, Mapping[str, Any]], None]
) -> None:
    system = Running(tmp_path / "home", SPEED)
    await system.start()
    try:
        profiles = await system.package("counted", PROFILES, profile_limits=FREE, limits={"concurrent_sends": 500})
        disturber = _Disturber(system)
        async with _beside(disturber.kill), _beside(disturber.double):
            for number in range(CAMPAIGNS):
                people = recipients(EACH, start=7_000_000 + number * EACH)
                body = {
                    "type": "text",
                    "text": "Hello",
                    "recipients": people,
                    "options": {"waiting_strategy": "immediate"},
                }
                answer = await system.ask("POST", "/packages/counted/messages/open", body)
                assert answer.status == 202, answer.body

                async def sent(goal: int = (number + 1) * EACH) -> bool:
                    return sum(line["ok"] for line in await system.ledger()) >= goal

                await eventually(sent, 300)
                await eventually(lambda: _is_quiet(system), 60)
        assert disturber.kills >= CAMPAIGNS
        lines = [line for line in await system.ledger() if line["ok"]]
        assert len(lines) == CAMPAIGNS * EACH
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


async def test_receipts_that_come_twice_and_in_disorder_are_counted_once(
    tmp_path: Path, keep: Callable[[str, Mapping[str, Any]], None]
) -> None:
    """What stats counts is what ingress shows of the deliveries, and both are what befell them."""
    system = Running(tmp_path / "home", SPEED, {"SPREADER_SIMULATOR_READ_SHARE": "1"})
    await system.start()
    try:
        await system.package("counted", PROFILES, profile_limits=FREE, limits={"concurrent_sends": 500})
        for kind in ("double_receipts", "disordered_receipts"):
            assert (await system.ask_simulator("POST", "/faults", {"kind": kind})).status == 201
        body = {"type": "text", "text": "Hello", "recipients": recipients(EACH, start=8_000_000), "options": AT_ONCE}
        message = (await system.ask("POST", "/packages/counted/messages/open", body)).body["message_id"]

        async def told() -> tuple[dict[str, int], dict[str, int]]:
            shown = (await system.ask("GET", f"/messages/{message}")).body["counts"]
            states = (await system.ask_at("stats", "/api/v1/live?package_id=counted")).body["data"]
            names = ("sent", "delivered", "read", "failed")
            return shown, {name: sum(each["windows"]["week"][name] for each in states) for name in names}

        def all_read(seen: tuple[dict[str, int], dict[str, int]]) -> bool:
            return seen[0]["read"] == EACH and seen[1]["read"] == EACH

        shown, counted = await eventually(told, 400, all_read)
        hits = [each["hits"] for each in (await system.ask_simulator("GET", "/faults")).body["data"]]
        assert hits == [EACH, EACH]
        assert {name: count for name, count in shown.items() if count} == {"read": EACH}
        assert counted == {"sent": EACH, "delivered": EACH, "read": EACH, "failed": 0}
    finally:
        await system.stop()
    keep("receipts", {"deliveries": EACH, "receipts": 2 * EACH, "told": 4 * EACH, **counted})


async def _is_quiet(system: Running) -> bool:
    """Nothing was sent for so long that a window's edge fits between this campaign and the next."""
    now = (await system.ask("GET", "/packages/counted/queue")).body["at"]
    return datetime.fromisoformat(now) - moments(await system.ledger())[-1] > 3 * QUIET


async def _compare(system: Running, profiles: list[str], lines: list[dict[str, Any]]) -> int:
    """Each window at a moment when its edge is quiet: what stats says is what the ledger has. Answers how many."""
    all_of = {profile: moments([line for line in lines if line["profile"] == profile]) for profile in profiles}
    everything = moments(lines)
    compared = 0
    for name, window in WINDOWS.items():

        async def at_a_quiet_edge(window: timedelta = window) -> tuple[datetime, dict[str, dict[str, int]]] | None:
            told = await _windows(system)
            if told is None or told[0] - everything[-1] < QUIET:
                return None
            edge = told[0] - window
            return None if any(abs(moment - edge) < QUIET for moment in everything) else told

        told = await eventually(at_a_quiet_edge, 240)
        assert told is not None
        at, counts = told
        for profile in profiles:
            recount = sum(moment > at - window for moment in all_of[profile])
            assert counts[profile][name] == recount, f"{name} of {profile}: the ledger has {recount}"
            compared += 1
    return compared
