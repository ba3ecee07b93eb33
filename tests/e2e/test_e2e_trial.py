"""`make up` where Kafka cannot be had: an in-memory broker, on which the system can be tried and the demo plays."""

import asyncio
import re
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from e2e.running import Running, eventually, recipients

from local.demo import CUSTOMERS, RECIPIENTS
from local.demo_package import PACKAGE_ID, PROFILES, profile_id

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SPEED = 600.0  # the demo's campaign is shared out over an hour, and customers take minutes to answer
ARRIVE_SECONDS = 60.0


@pytest.fixture
async def trial(tmp_path: Path) -> AsyncGenerator[Running]:
    """A system on the in-memory broker; what a failed test left running is ended."""
    system = Running(tmp_path / "home", SPEED, {"SPREADER_LOCAL_BROKER": "memory", "SPREADER_DEMO": "1"})
    yield system
    if system.runs:
        await system.stop()


async def arrived_of(system: Running, package_id: str) -> list[str]:
    return sorted(line["recipient"] for line in await system.ledger() if line["package"] == package_id)


async def play_the_demo(system: Running) -> str:
    """`make demo`; answers what it says."""
    played = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "local", "demo"],
        env=system.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (played.returncode, played.stderr) == (0, ""), played.stdout + played.stderr
    return played.stdout


async def test_the_demo_a_campaign_and_a_reply_arrive_and_nothing_is_left_behind(trial: Running) -> None:
    await trial.start()
    await _show_the_demo(trial)
    await _send(trial)
    assert await trial.stop(signal.SIGINT) == 0
    assert not (trial.folder / "running.json").exists()


async def _show_the_demo(trial: Running) -> None:
    """Its package is there, its customers are answered from where they wrote to, and others answer by themselves."""
    there = await trial.ask("GET", f"/packages/{PACKAGE_ID}/profiles")
    assert [each["profile_id"] for each in there.body["data"]] == [profile_id(n + 1) for n in range(PROFILES)]

    said = await play_the_demo(trial)
    talks = re.findall(r"wrote to (\S+); reply from (\S+): (\w+) after", said)
    assert len(talks) == CUSTOMERS, said
    assert all(wrote_to == answered_from and status == "sent" for wrote_to, answered_from, status in talks), said
    assert f"A campaign to {RECIPIENTS} recipients was accepted" in said
    assert re.search(r"^  .*delivered \d+", said, re.MULTILINE), said

    async def arrived() -> int:
        return len(await arrived_of(trial, PACKAGE_ID))

    async def received() -> int:
        live = (await trial.ask_at("stats", f"/api/v1/live?package_id={PACKAGE_ID}")).body["data"]
        return sum(each["windows"]["week"]["received"] for each in live)

    await eventually(arrived, ARRIVE_SECONDS, lambda seen: seen == RECIPIENTS + CUSTOMERS)
    await eventually(received, ARRIVE_SECONDS, lambda seen: seen > CUSTOMERS)


async def _send(trial: Running) -> None:
    """To a package of one's own."""
    await trial.package("trial", 3)
    opened = await trial.ask(
        "POST", "/packages/trial/messages/open", {"type": "text", "text": "Hello", "recipients": recipients(3)}
    )
    assert opened.status == 202, opened.body
    customer = recipients(1, start=10)[0]
    reply = {"type": "text", "text": "Yes", "recipient": customer}
    answered = await trial.ask("POST", "/packages/trial/messages/reply", reply)
    assert (answered.status, answered.body["status"]) == (200, "sent"), answered.body

    async def arrived() -> list[str]:
        return await arrived_of(trial, "trial")

    await eventually(arrived, ARRIVE_SECONDS, lambda seen: seen == [*recipients(3), customer])
