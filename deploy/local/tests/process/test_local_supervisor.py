"""A supervised program is restarted when it dies, and ends when it is stopped. No child outlives its parent."""

import asyncio
import io
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from local.process.program import Command, is_alive, kill_tree
from local.process.supervisor import Supervisor
from local.view import View

DEADLINE_SECONDS = 20.0
WAITS = "import time; print('begun', flush=True); time.sleep(600)"
IGNORES_SIGTERM = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + WAITS


@dataclass(frozen=True)
class Script:
    """A program that appends to `marks` at each start, and is ready from then on."""

    code: str
    marks: Path
    name: str = "script"

    def prepare(self) -> None:
        self.marks.touch()

    def command(self) -> Command:
        mark = f"open({str(self.marks)!r}, 'a').write('x'); "
        return Command([sys.executable, "-c", mark + self.code])

    async def check(self) -> None:
        if not self.marks.read_text():
            raise ConnectionError


async def _until_marked(script: Script, times: int) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while len(script.marks.read_text()) < times:
            await asyncio.sleep(0.02)


async def test_a_killed_program_is_restarted_and_the_log_says_so(tmp_path: Path) -> None:
    script, output = Script(WAITS, tmp_path / "marks"), io.StringIO()
    supervisor = Supervisor(script, View(output, coloured=False), lambda: None)
    await supervisor.start()
    await supervisor.wait_ready()
    first = supervisor.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await _until_marked(script, 2)  # the child writes the marks, and the supervisor may not know its pid yet
    async with asyncio.timeout(DEADLINE_SECONDS):
        while supervisor.pid in (None, first):
            await asyncio.sleep(0.02)
    await supervisor.stop(DEADLINE_SECONDS)
    assert "ERROR script died (SIGKILL); restarting it in 0.2 s" in output.getvalue()
    assert supervisor.pid is None


async def test_a_program_that_ignores_the_stop_signal_is_killed(tmp_path: Path) -> None:
    script, output = Script(IGNORES_SIGTERM, tmp_path / "marks"), io.StringIO()
    supervisor = Supervisor(script, View(output, coloured=False), lambda: None)
    await supervisor.start()
    async with asyncio.timeout(DEADLINE_SECONDS):
        while "begun" not in output.getvalue():
            await asyncio.sleep(0.02)
    pid = supervisor.pid
    assert pid is not None
    await supervisor.stop(0.1)
    assert not psutil.pid_exists(pid)
    assert "killing it" in output.getvalue()


async def test_a_stop_does_not_wait_for_a_restart_that_is_due_later(tmp_path: Path) -> None:
    script = Script("raise SystemExit(3)", tmp_path / "marks")
    supervisor = Supervisor(script, View(io.StringIO(), coloured=False), lambda: None)
    await supervisor.start()
    await _until_marked(script, 3)
    async with asyncio.timeout(DEADLINE_SECONDS):
        await supervisor.stop(DEADLINE_SECONDS)
    assert supervisor.pid is None


def test_a_child_dies_with_its_parent_even_when_that_is_killed() -> None:
    parent_code = (
        "import sys, time; from local.process.program import Command, spawn; "
        "child = spawn(Command(['sleep', '600']), sys.stderr.buffer); print(child.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", parent_code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        assert is_alive(child)
        parent.kill()
    deadline = time.monotonic() + DEADLINE_SECONDS
    while is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_alive(child)


def test_kill_tree_kills_grandchildren() -> None:
    with subprocess.Popen(["sh", "-c", "sleep 600 & echo $!; wait"], stdout=subprocess.PIPE, text=True) as shell:
        assert shell.stdout is not None
        grandchild = psutil.Process(int(shell.stdout.readline()))
        kill_tree(shell.pid)
        assert not is_alive(grandchild)
