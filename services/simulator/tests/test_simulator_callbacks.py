"""What comes back: receipts, and what customers write."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from simulator.core.customers import ANSWERS
from simulator.testing import Caller, Webhook, serving, webhook
from spreader.clock import Clock, wall_now

FAST = 6000.0


@pytest.fixture
async def hook() -> AsyncGenerator[Webhook]:
    async with webhook() as hook:
        yield hook


def fast() -> Clock:
    now = wall_now()
    return Clock(FAST, now, now)


async def writes(simulator: Caller, text: str) -> dict[str, Any]:
    reply = await simulator.ask("POST", "/customers/201005556666/messages", {"profile": "prf_1", "text": text})
    assert reply.status == 202
    return reply.body


async def test_a_customer_gets_the_message_reads_it_and_answers(tmp_path: Path, hook: Webhook) -> None:
    async with serving(tmp_path, fast(), reply_share=1) as simulator:
        await simulator.register(hook.url)
        sent = (await simulator.send("dlv_1", "201001234567")).body
        await hook.until(lambda hook: len(hook.taken) == 3)
    (line,) = [each for each in hook.taken if each["event"] == "message"]
    receipts = sorted((each for each in hook.taken if each["event"] == "receipt"), key=lambda each: each["at"])
    about = {"event": "receipt", "delivery_id": "dlv_1", "message_id": sent["message_id"], "to": "201001234567"}
    assert [{**each, "at": ""} for each in receipts] == [
        {**about, "status": s, "at": ""} for s in ("delivered", "read")
    ]
    assert receipts[1]["at"] < line["at"]
    assert line["text"] in ANSWERS
    assert {**line, "at": "", "text": "", "message_id": ""} == {
        "event": "message",
        "message_id": "",
        "from": "201001234567",
        "type": "text",
        "text": "",
        "at": "",
    }


async def test_a_webhook_that_refuses_is_called_again_until_it_takes(tmp_path: Path) -> None:
    async with webhook(refusals=2) as hook, serving(tmp_path) as simulator:
        await simulator.register(hook.url)
        accepted = await writes(simulator, "Is anybody there?")
        await hook.until(lambda hook: len(hook.taken) == 1)
    assert hook.refused == hook.taken * 2
    assert (hook.taken[0]["message_id"], hook.taken[0]["text"]) == (accepted["message_id"], "Is anybody there?")
    assert hook.taken[0]["from"] == "201005556666"


async def test_receipts_are_tried_again_too(tmp_path: Path) -> None:
    async with webhook(refusals=2) as hook, serving(tmp_path, fast(), read_share=0) as simulator:
        await simulator.register(hook.url)
        await simulator.send("dlv_1")
        await hook.until(lambda hook: len(hook.taken) == 1)
    assert [each["status"] for each in (*hook.refused, *hook.taken)] == ["delivered"] * 3


async def test_what_waits_goes_to_the_address_that_the_profile_has_now(tmp_path: Path, hook: Webhook) -> None:
    async with webhook(refusals=1_000_000) as old, serving(tmp_path) as simulator:
        await simulator.register(old.url)
        await writes(simulator, "Hello?")
        await old.until(lambda old: len(old.refused) > 0)
        await simulator.register(hook.url)
        await hook.until(lambda hook: len(hook.taken) == 1)
    assert hook.taken[0]["text"] == "Hello?"


@pytest.mark.parametrize(("kind", "times"), [("no_receipts", 0), ("double_receipts", 2)])
async def test_receipts_can_be_lost_or_doubled_and_answers_come_all_the_same(
    tmp_path: Path, hook: Webhook, kind: str, times: int
) -> None:
    async with serving(tmp_path, fast(), reply_share=1) as simulator:
        await simulator.register(hook.url)
        await simulator.fault(kind=kind)
        await simulator.send("dlv_1")
        await hook.until(lambda hook: len(hook.taken) == 1 + 2 * times)
    found = [each.get("status", "answer") for each in hook.taken]
    assert sorted(found) == sorted(["delivered", "read"] * times + ["answer"])


async def test_a_refused_send_has_no_receipts(tmp_path: Path, hook: Webhook) -> None:
    async with serving(tmp_path, fast(), read_share=0) as simulator:
        await simulator.register(hook.url)
        await simulator.fault(kind="fail", count=1)
        assert [(await simulator.send(name)).status for name in ("dlv_1", "dlv_2")] == [500, 201]
        await hook.until(lambda hook: len(hook.taken) == 1)
        assert await waiting(simulator) == 0
    assert [each["delivery_id"] for each in hook.taken] == ["dlv_2"]


async def test_a_message_that_cannot_be_delivered_has_a_failed_receipt(tmp_path: Path, hook: Webhook) -> None:
    async with serving(tmp_path, fast(), delivered_share=0, failed_share=1) as simulator:
        await simulator.register(hook.url)
        await simulator.send("dlv_1")
        await hook.until(lambda hook: len(hook.taken) == 1)
    assert hook.taken[0]["status"] == "failed"


async def test_a_full_queue_drops_receipts_and_refuses_customers(tmp_path: Path) -> None:
    slow = Clock(0.01, wall_now(), wall_now())  # else the queue empties itself after two seconds
    async with serving(tmp_path, slow, callbacks_max=2) as simulator:
        await simulator.register()
        assert [(await simulator.send(f"dlv_{number}")).status for number in range(5)] == [201] * 5
        reply = await simulator.ask("POST", "/customers/201005556666/messages", {"profile": "prf_1", "text": "Hi"})
        assert (reply.status, reply.body["error"]["code"]) == (503, "busy")
        assert await waiting(simulator) == 2


async def waiting(simulator: Caller) -> int:
    """How many callbacks wait for their moment."""
    name = "spreader_simulator_callbacks_waiting_count "
    (line,) = [each for each in (await simulator.text("/metrics")).splitlines() if each.startswith(name)]
    return int(float(line.removeprefix(name)))
