"""Server process: a program that its owner starts, kills and starts again on the same data and port."""

import asyncio
import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from local.process.program import Program, kill_tree, spawn

START_SECONDS = 60.0
STOP_SECONDS = 15.0
POLL_SECONDS = 0.05
CHECK_SECONDS = 10.0


class NotStarted(RuntimeError):
    """The program was not ready in time."""


class ServerProcess:
    """The methods of this class block, because test fixtures call them. The program's output goes to the file `log`."""

    def __init__(self, program: Program, log: Path) -> None:
        self.program = program
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        return self.program.name

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, seconds: float = START_SECONDS) -> None:
        """Start the program and wait until it is ready. A start may fail because of files that a killed run has left
        behind, so a failed start is repeated. Raises NotStarted after `seconds`.
        """
        self.program.prepare()
        deadline = time.monotonic() + seconds
        while not self._try_to_start(deadline):
            if time.monotonic() > deadline:
                raise NotStarted(f"{self.name} did not start within {seconds:g} s; its last output:\n{self._tail()}")

    def kill(self) -> None:
        """`kill -9`."""
        if self._process is not None:
            kill_tree(self._process.pid)
            self._process.wait()

    def stop(self) -> None:
        """Send the stop signal. If the program still runs after STOP_SECONDS, kill it."""
        if self._process is None or not self.is_running:
            return
        os.kill(self._process.pid, self.program.command().stop_signal)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def _try_to_start(self, deadline: float) -> bool:
        if not self.is_running:
            with self.log.open("ab") as output:
                self._process = spawn(self.program.command(), output)
        while self.is_running and time.monotonic() < deadline:
            if run_blocking(self._is_ready()):
                return True
            time.sleep(POLL_SECONDS)
        return False

    async def _is_ready(self) -> bool:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await self.program.check()
        except Exception:
            return False
        return True

    def _tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])


def run_blocking(coroutine: Any) -> Any:
    """Run a coroutine to its end in another thread, so that this also works while the caller's event loop is
    running."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()
