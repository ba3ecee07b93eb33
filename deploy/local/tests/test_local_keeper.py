"""A kept program is started again when it dies, and is gone when it is stopped; nothing outlives us."""

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

from local.keeper import Keeper
from local.program import Command, is_alive, kill_tree
from local.view import View

DEADLINE_SECONDS = 20.0
WAITS = "import time; print('begun', flush=True); time.sleep(600)"
IS_DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + WAITS


@dataclass(frozen=True)
class Script:
    """A program that appends to `marks` at each start, and is ready from the first."""

    code: str
    marks: Path
    name: str = "script"

    def prepare(self) -> None:
        self.marks.touch()

    def command(self) -> Command:
        mark = f"open({str(self.marks)!r}, 'a').write('x'); "
        return Command([sys.executable, "-c", mark + self.code])

    async def ask(self) -> None:
        if not self.marks.read_text():
            raise ConnectionError


async def _until_marked(script: Script, times: int) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while len(script.marks.read_text()) < times:
            await asyncio.sleep(0.02)


async def test_a_program_that_is_killed_starts_again_and_the_log_says_so(tmp_path: Path) -> None:
    script, output = Script(WAITS, tmp_path / "marks"), io.StringIO()
    keeper = Keeper(script, View(output, coloured=False), lambda: None)
    await keeper.start()
    await keeper.wait_ready()
    first = keeper.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await _until_marked(script, 2)  # the child says so; its parent may not know its number yet
    async with asyncio.timeout(DEADLINE_SECONDS):
        while keeper.pid in (None, first):
            await asyncio.sleep(0.02)
    await keeper.stop(DEADLINE_SECONDS)
    assert "ERROR script died (SIGKILL); it starts again in 0.2 s" in output.getvalue()
    assert keeper.pid is None


async def test_a_program_that_is_deaf_to_the_request_is_killed(tmp_path: Path) -> None:
    script, output = Script(IS_DEAF, tmp_path / "marks"), io.StringIO()
    keeper = Keeper(script, View(output, coloured=False), lambda: None)
    await keeper.start()
    async with asyncio.timeout(DEADLINE_SECONDS):
        while "begun" not in output.getvalue():
            await asyncio.sleep(0.02)
    pid = keeper.pid
    assert pid is not None
    await keeper.stop(0.1)
    assert not psutil.pid_exists(pid)
    assert "was killed" in output.getvalue()


async def test_a_stop_does_not_wait_for_a_restart_that_is_due_later(tmp_path: Path) -> None:
    script = Script("raise SystemExit(3)", tmp_path / "marks")
    keeper = Keeper(script, View(io.StringIO(), coloured=False), lambda: None)
    await keeper.start()
    await _until_marked(script, 3)
    async with asyncio.timeout(DEADLINE_SECONDS):
        await keeper.stop(DEADLINE_SECONDS)
    assert keeper.pid is None


def test_a_child_dies_with_us_even_when_we_are_killed() -> None:
    parent_code = (
        "import sys, time; from local.program import Command, spawn; "
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


def test_a_whole_family_is_killed() -> None:
    with subprocess.Popen(["sh", "-c", "sleep 600 & echo $!; wait"], stdout=subprocess.PIPE, text=True) as shell:
        assert shell.stdout is not None
        grandchild = psutil.Process(int(shell.stdout.readline()))
        kill_tree(shell.pid)
        assert not is_alive(grandchild)
