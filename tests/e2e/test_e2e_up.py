"""`make up`: reports what is wrong, stops all its processes, and finds its data after a restart."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from e2e.system import SERVICES, RunningSystem, eventually, recipients

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_it_stops_all_processes_and_finds_its_data_again(live: RunningSystem) -> None:
    """With all the data that other tests left in the system."""
    await live.create_package("kept", 2)
    pids = live.pids()
    assert len(pids) == 1 + len((*SERVICES, "kafka", "postgres"))
    began = time.monotonic()
    assert await live.stop(signal.SIGINT) == 0
    assert time.monotonic() - began < 15
    assert [pid for pid in pids if _exists(pid)] == []

    await live.start()
    kept = await live.ask("GET", "/packages/kept/profiles")
    assert (kept.status, len(kept.body["data"])) == (200, 2)
    answer = await live.ask(
        "POST", "/packages/kept/messages/open", {"type": "text", "text": "Hi", "recipients": recipients(1, 970_000)}
    )
    assert answer.status == 202

    async def arrived() -> int:
        return len(await live.ledger(answer.body["message_id"]))

    await eventually(arrived, 30)


def test_a_port_in_use_is_named_and_nothing_is_left_running(tmp_path: Path) -> None:
    system = RunningSystem(tmp_path / "home")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", system.ports["ingress"]))
        taken.listen()
        ended = subprocess.run(
            [sys.executable, "-m", "local", "up"], env=system.environment, capture_output=True, text=True, timeout=60
        )
    assert ended.returncode != 0
    output = ended.stdout + ended.stderr
    assert str(system.ports["ingress"]) in output
    assert "SPREADER_INGRESS_PORT" in output
    assert not (system.folder / "running.json").exists()
