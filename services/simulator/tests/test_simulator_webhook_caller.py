"""Receipts and customers' messages that reach the webhook."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from simulator.core.customers import ANSWERS
from simulator.testing import FakeWebhook, SimulatorClient, fake_webhook, running_simulator
from spreader.clock import Clock, wall_now

FAST = 6000.0


@pytest.fixture
async def hook() -> AsyncGenerator[FakeWebhook]:
    async with fake_webhook() as hook:
        yield hook


def fast() -> Clock:
    now = wall_now()
    return Clock(FAST, now, now)


async def writes(simulator: SimulatorClient, text: str) -> dict[str, Any]:
    reply = await simulator.request("POST", "/customers/201005556666/messages", {"profile": "prf_1", "text": text})
    assert reply.status == 202
    return reply.body


async def test_a_customer_gets_the_message_reads_it_and_answers(tmp_path: Path, hook: FakeWebhook) -> None:
    async with running_simulator(tmp_path, fast(), reply_share=1) as simulator:
        await simulator.register(hook.url)
        sent = (await simulator.send("dlv_1", "201001234567")).body
        await hook.wait_until(lambda hook: len(hook.accepted) == 3)
    (line,) = [each for each in hook.accepted if each["event"] == "message"]
    receipts = sorted((each for each in hook.accepted if each["event"] == "receipt"), key=lambda each: each["at"])
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


async def test_a_refused_call_is_retried_until_it_is_accepted(tmp_path: Path) -> None:
    async with fake_webhook(refusals=2) as hook, running_simulator(tmp_path) as simulator:
        await simulator.register(hook.url)
        accepted = await writes(simulator, "Is anybody there?")
        await hook.wait_until(lambda hook: len(hook.accepted) == 1)
    assert hook.refused == hook.accepted * 2
    assert (hook.accepted[0]["message_id"], hook.accepted[0]["text"]) == (accepted["message_id"], "Is anybody there?")
    assert hook.accepted[0]["from"] == "201005556666"


async def test_receipts_are_retried_too(tmp_path: Path) -> None:
    async with fake_webhook(refusals=2) as hook, running_simulator(tmp_path, fast(), read_share=0) as simulator:
        await simulator.register(hook.url)
        await simulator.send("dlv_1")
        await hook.wait_until(lambda hook: len(hook.accepted) == 1)
    assert [each["status"] for each in (*hook.refused, *hook.accepted)] == ["delivered"] * 3


async def test_a_waiting_call_goes_to_the_current_webhook(tmp_path: Path, hook: FakeWebhook) -> None:
    async with fake_webhook(refusals=1_000_000) as old, running_simulator(tmp_path) as simulator:
        await simulator.register(old.url)
        await writes(simulator, "Hello?")
        await old.wait_until(lambda old: len(old.refused) > 0)
        await simulator.register(hook.url)
        await hook.wait_until(lambda hook: len(hook.accepted) == 1)
    assert hook.accepted[0]["text"] == "Hello?"


@pytest.mark.parametrize(("kind", "times"), [("no_receipts", 0), ("double_receipts", 2)])
async def test_lost_or_doubled_receipts_do_not_affect_replies(
    tmp_path: Path, hook: FakeWebhook, kind: str, times: int
) -> None:
    async with running_simulator(tmp_path, fast(), reply_share=1) as simulator:
        await simulator.register(hook.url)
        await simulator.fault(kind=kind)
        await simulator.send("dlv_1")
        await hook.wait_until(lambda hook: len(hook.accepted) == 1 + 2 * times)
    found = [each.get("status", "answer") for each in hook.accepted]
    assert sorted(found) == sorted(["delivered", "read"] * times + ["answer"])


async def test_a_refused_send_has_no_receipts(tmp_path: Path, hook: FakeWebhook) -> None:
    async with running_simulator(tmp_path, fast(), read_share=0) as simulator:
        await simulator.register(hook.url)
        await simulator.fault(kind="fail", count=1)
        assert [(await simulator.send(name)).status for name in ("dlv_1", "dlv_2")] == [500, 201]
        await hook.wait_until(lambda hook: len(hook.accepted) == 1)
        assert await waiting(simulator) == 0
    assert [each["delivery_id"] for each in hook.accepted] == ["dlv_2"]


async def test_a_message_that_cannot_be_delivered_has_a_failed_receipt(tmp_path: Path, hook: FakeWebhook) -> None:
    async with running_simulator(tmp_path, fast(), delivered_share=0, failed_share=1) as simulator:
        await simulator.register(hook.url)
        await simulator.send("dlv_1")
        await hook.wait_until(lambda hook: len(hook.accepted) == 1)
    assert hook.accepted[0]["status"] == "failed"


async def test_a_full_queue_drops_receipts_and_refuses_customers(tmp_path: Path) -> None:
    slow = Clock(0.01, wall_now(), wall_now())  # else the queue empties itself after two seconds
    async with running_simulator(tmp_path, slow, callbacks_max=2) as simulator:
        await simulator.register()
        assert [(await simulator.send(f"dlv_{number}")).status for number in range(5)] == [201] * 5
        reply = await simulator.request("POST", "/customers/201005556666/messages", {"profile": "prf_1", "text": "Hi"})
        assert (reply.status, reply.body["error"]["code"]) == (503, "busy")
        assert await waiting(simulator) == 2


async def waiting(simulator: SimulatorClient) -> int:
    """How many callbacks wait for their moment."""
    name = "spreader_simulator_callbacks_waiting_count "
    (line,) = [each for each in (await simulator.text("/metrics")).splitlines() if each.startswith(name)]
    return int(float(line.removeprefix(name)))
