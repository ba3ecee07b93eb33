"""`make up` where Kafka cannot be had: an in-memory broker, on which the system can be tried."""

import signal
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from e2e.running import Running, eventually, recipients

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

ARRIVE_SECONDS = 60.0


@pytest.fixture
async def trial(tmp_path: Path) -> AsyncGenerator[Running]:
    """A system on the in-memory broker; what a failed test left running is ended."""
    system = Running(tmp_path / "home", more={"SPREADER_LOCAL_BROKER": "memory"})
    yield system
    if system.runs:
        await system.stop()


async def test_a_campaign_and_a_reply_arrive_and_nothing_is_left_behind(trial: Running) -> None:
    await trial.start()
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
        return sorted(line["recipient"] for line in await trial.ledger())

    await eventually(arrived, ARRIVE_SECONDS, lambda seen: seen == [*recipients(3), customer])
    assert await trial.stop(signal.SIGINT) == 0
    assert not (trial.folder / "running.json").exists()
