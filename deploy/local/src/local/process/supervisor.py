"""Supervisor: keeps one program running. It starts, restarts and stops the program, and shows its output."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from local.process.program import Program, die_with_parent, kill_tree
from local.view import View

POLL_SECONDS = 0.1
CHECK_SECONDS = 3.0
READ_BYTES = 64 * 1024
LAST_OUTPUT_SECONDS = 1.0
RESTART_DELAY_FIRST = timedelta(milliseconds=200)
RESTART_DELAY_MAX = timedelta(seconds=10)
STABLE_AFTER = timedelta(seconds=30)

OnChange = Callable[[], None]
"""Called whenever the process id has changed."""


@dataclass(frozen=True, slots=True)
class Restarts:
    """`failures`: how often in a row the program has died soon after its start."""

    failures: int = 0

    def died(self, lived: timedelta) -> tuple["Restarts", timedelta]:
        """The next state, and the delay before the restart. The delay is short after a stable run, and doubles with
        each failure."""
        failures = 1 if lived >= STABLE_AFTER else self.failures + 1
        exponent = min(failures - 1, 10)  # beyond that the delay is RESTART_DELAY_MAX anyway
        return Restarts(failures), min(RESTART_DELAY_FIRST * 2**exponent, RESTART_DELAY_MAX)


class Supervisor:
    def __init__(self, program: Program, view: View, on_change: OnChange) -> None:
        self.program = program
        self._view = view
        self._on_change = on_change
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.last_error = "not checked yet"

    @property
    def name(self) -> str:
        return self.program.name

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def start(self) -> None:
        """Prepare and start the program, and keep it running until `stop`."""
        await asyncio.to_thread(self.program.prepare)
        self._task = asyncio.create_task(self._supervise())

    async def wait_ready(self) -> None:
        while not await self._is_ready():  # noqa: ASYNC110 - another process sends no event
            await asyncio.sleep(POLL_SECONDS)

    async def stop(self, seconds: float) -> None:
        """Send the stop signal. If the program still runs after `seconds`, kill it."""
        self._stopping.set()
        if self._task is None:
            return
        self._send_stop_signal()
        _, pending = await asyncio.wait({self._task}, timeout=seconds)
        if pending and self.pid is not None:
            self._view.log(f"{self.name} did not stop within {seconds:g} s; killing it", level="warning")
            await asyncio.to_thread(kill_tree, self.pid)
            await self._task

    def _send_stop_signal(self) -> None:
        if self.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, self.program.command().stop_signal)

    async def _is_ready(self) -> bool:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await self.program.check()
        except Exception as error:
            self.last_error = f"{type(error).__name__}: {error}"
            return False
        return True

    async def _supervise(self) -> None:
        restarts = Restarts()
        while not self._stopping.is_set():
            began = time.monotonic()
            end = await self._run(is_restart=restarts.failures > 0)
            if self._stopping.is_set():
                return
            restarts, delay = restarts.died(timedelta(seconds=time.monotonic() - began))
            self._view.log(f"{self.name} died ({end}); restarting it in {delay.total_seconds():g} s", level="error")
            self._on_change()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay.total_seconds())

    async def _run(self, *, is_restart: bool) -> str:
        command = self.program.command()
        process = await asyncio.create_subprocess_exec(
            *command.arguments,
            env=dict(command.environment),
            cwd=command.folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            process_group=0,
            preexec_fn=die_with_parent(command.orphan_signal),
        )
        self._process = process
        self._on_change()
        if self._stopping.is_set():  # `stop` was called before the process existed
            self._send_stop_signal()
        tasks = [asyncio.create_task(self._show(process))]
        if is_restart:
            tasks.append(asyncio.create_task(self._log_when_ready()))
        try:
            code = await process.wait()
            with suppress(TimeoutError):  # a child process may keep the pipe open for longer
                await asyncio.wait_for(tasks[0], LAST_OUTPUT_SECONDS)
        finally:
            for task in tasks:
                task.cancel()
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"

    async def _log_when_ready(self) -> None:
        await self.wait_ready()
        self._view.log(f"{self.name} is ready again")

    async def _show(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        rest = b""
        while chunk := await process.stdout.read(READ_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._view.show(self.name, line.decode(errors="replace"))
