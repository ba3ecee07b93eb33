"""`make up` itself: says what is wrong, stops cleanly, and finds its data again."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from e2e.running import Running, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
async def system(tmp_path: Path) -> AsyncGenerator[Running]:
    """A system that a test starts and stops; what a failed test left running is ended."""
    system = Running(tmp_path / "home")
    yield system
    if system.runs:
        await system.stop()


async def test_it_stops_leaves_nobody_behind_and_finds_its_data_again(system: Running) -> None:
    await system.start()
    await system.package("kept", 2)
    pids = {pid for name in ("kafka", "postgres", "ingress", "sender") if (pid := system.pid(name)) is not None}
    began = time.monotonic()
    assert await system.stop(signal.SIGINT) == 0
    assert time.monotonic() - began < 15
    assert [pid for pid in pids if _exists(pid)] == []

    await system.start()
    kept = await system.ask("GET", "/packages/kept/profiles")
    assert (kept.status, len(kept.body["data"])) == (200, 2)
    answer = await system.ask(
        "POST", "/packages/kept/messages/open", {"type": "text", "text": "Hi", "recipients": ["201000000031"]}
    )
    assert answer.status == 202

    async def arrived() -> int:
        return len(await system.ledger(answer.body["message_id"]))

    await eventually(arrived, 30)
    assert await system.stop() == 0


def test_a_port_in_use_is_named_and_nothing_is_left_running(tmp_path: Path) -> None:
    system = Running(tmp_path / "home")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", system.ports["ingress"]))
        taken.listen()
        ended = subprocess.run(
            [sys.executable, "-m", "local", "up"], env=system.environment, capture_output=True, text=True, timeout=60
        )
    assert ended.returncode != 0
    said = ended.stdout + ended.stderr
    assert str(system.ports["ingress"]) in said
    assert "SPREADER_INGRESS_PORT" in said
    assert not (system.folder / "running.json").exists()
