"""Trial: without Kafka `make up` uses an in-memory broker, and the system and the demo work on it."""

import asyncio
import re
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from e2e.system import RunningSystem, eventually, recipients

from local.demo import CUSTOMERS, RECIPIENTS
from local.demo_package import PACKAGE_ID, PROFILES, profile_id

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SPEED = 600.0  # the demo's campaign takes an hour, and its customers take minutes to reply
ARRIVE_SECONDS = 60.0


@pytest.fixture
async def trial(tmp_path: Path) -> AsyncGenerator[RunningSystem]:
    """A system on the in-memory broker. Stops it if a failed test left it running."""
    system = RunningSystem(tmp_path / "home", SPEED, {"SPREADER_LOCAL_BROKER": "memory", "SPREADER_DEMO": "1"})
    yield system
    if system.is_running:
        await system.stop()


async def arrived_of(system: RunningSystem, package_id: str) -> list[str]:
    return sorted(line["recipient"] for line in await system.ledger() if line["package"] == package_id)


async def run_demo(system: RunningSystem) -> str:
    """Run `make demo`; returns its output."""
    demo = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "local", "demo"],
        env=system.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (demo.returncode, demo.stderr) == (0, ""), demo.stdout + demo.stderr
    return demo.stdout


async def test_the_demo_a_campaign_and_a_reply_arrive_and_no_process_is_left(trial: RunningSystem) -> None:
    await trial.start()
    await _check_demo(trial)
    await _send(trial)
    assert await trial.stop(signal.SIGINT) == 0
    assert not (trial.folder / "running.json").exists()


async def _check_demo(trial: RunningSystem) -> None:
    """The demo's package exists, its customers get replies from the profile they wrote to, and others reply to it."""
    there = await trial.ask("GET", f"/packages/{PACKAGE_ID}/profiles")
    assert [each["profile_id"] for each in there.body["data"]] == [profile_id(n + 1) for n in range(PROFILES)]

    output = await run_demo(trial)
    talks = re.findall(r"wrote to (\S+); reply from (\S+): (\w+) after", output)
    assert len(talks) == CUSTOMERS, output
    assert all(wrote_to == replied_from and status == "sent" for wrote_to, replied_from, status in talks), output
    assert f"A campaign to {RECIPIENTS} recipients was accepted" in output
    assert re.search(r"^  .*delivered \d+", output, re.MULTILINE), output

    async def arrived() -> int:
        return len(await arrived_of(trial, PACKAGE_ID))

    async def received() -> int:
        live = (await trial.ask_at("stats", f"/api/v1/live?package_id={PACKAGE_ID}")).body["data"]
        return sum(each["windows"]["week"]["received"] for each in live)

    await eventually(arrived, ARRIVE_SECONDS, lambda seen: seen == RECIPIENTS + CUSTOMERS)
    await eventually(received, ARRIVE_SECONDS, lambda seen: seen > CUSTOMERS)


async def _send(trial: RunningSystem) -> None:
    """Send a campaign and a reply through a package that is not the demo's."""
    await trial.create_package("trial", 3)
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
