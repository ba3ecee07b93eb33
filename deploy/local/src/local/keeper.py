"""Keeper: keeps one program running: starts it, shows what it says, starts it again when it dies, stops it."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from local.program import Program, dies_with_us, kill_tree
from local.restarts import Restarts
from local.view import View

POLL_SECONDS = 0.1
ASK_SECONDS = 3.0
READ_BYTES = 64 * 1024
LAST_WORDS_SECONDS = 1.0

Changed = Callable[[], None]


class Keeper:
    """`changed` is called whenever the process id becomes another."""

    def __init__(self, program: Program, view: View, changed: Changed) -> None:
        self.program = program
        self._view = view
        self._changed = changed
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.last_trouble = "it has not been asked yet"

    @property
    def name(self) -> str:
        return self.program.name

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def start(self) -> None:
        """Prepare and start it; from then on it is kept running."""
        await asyncio.to_thread(self.program.prepare)
        self._task = asyncio.create_task(self._keep())

    async def wait_ready(self) -> None:
        while not await self._answers():  # noqa: ASYNC110 - another process gives no event
            await asyncio.sleep(POLL_SECONDS)

    async def stop(self, seconds: float) -> None:
        """Ask it to end; insist after `seconds`."""
        self._stopping.set()
        if self._task is None:
            return
        self._ask_to_end()
        _, pending = await asyncio.wait({self._task}, timeout=seconds)
        if pending and self.pid is not None:
            self._view.say(f"{self.name} did not stop within {seconds:g} s and was killed", level="warning")
            await asyncio.to_thread(kill_tree, self.pid)
            await self._task

    def _ask_to_end(self) -> None:
        if self.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, self.program.command().stop_signal)

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(ASK_SECONDS):
                await self.program.ask()
        except Exception as error:
            self.last_trouble = f"{type(error).__name__}: {error}"
            return False
        return True

    async def _keep(self) -> None:
        restarts = Restarts()
        while not self._stopping.is_set():
            began = time.monotonic()
            how = await self._run(is_restart=restarts.failures > 0)
            if self._stopping.is_set():
                return
            restarts, delay = restarts.died(timedelta(seconds=time.monotonic() - began))
            self._view.say(f"{self.name} died ({how}); it starts again in {delay.total_seconds():g} s", level="error")
            self._changed()
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
            preexec_fn=dies_with_us(command.orphan_signal),
        )
        self._process = process
        self._changed()
        if self._stopping.is_set():  # it was asked to stop before there was anything to stop
            self._ask_to_end()
        beside = [asyncio.create_task(self._show(process))]
        if is_restart:
            beside.append(asyncio.create_task(self._tell_when_back()))
        try:
            code = await process.wait()
            with suppress(TimeoutError):  # a child of its own may hold the pipe for longer
                await asyncio.wait_for(beside[0], LAST_WORDS_SECONDS)
        finally:
            for task in beside:
                task.cancel()
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"

    async def _tell_when_back(self) -> None:
        await self.wait_ready()
        self._view.say(f"{self.name} is ready again")

    async def _show(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        rest = b""
        while chunk := await process.stdout.read(READ_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._view.show(self.name, line.decode(errors="replace"))
