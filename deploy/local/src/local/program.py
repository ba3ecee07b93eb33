"""Program: a server or service that can be run: how it is prepared, started, asked whether it is ready, and stopped."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

import psutil

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Command:
    """What the operating system needs to start a program, and the signals that end it."""

    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    folder: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGKILL
    """Sent by the kernel when we die without having stopped it: nothing is left behind, whatever kills us."""


class Program(Protocol):
    @property
    def name(self) -> str: ...

    def prepare(self) -> None:
        """Whatever must be there before the first start. May take seconds; may be called again."""
        ...

    def command(self) -> Command: ...

    async def ask(self) -> None:
        """Raise unless it does its work now."""
        ...


def dies_with_us(orphan_signal: signal.Signals) -> Callable[[], None] | None:
    """What a child runs before its program begins. The parent's *thread* counts: start children in the main thread."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def ask_the_kernel() -> None:
        prctl(_PR_SET_PDEATHSIG, int(orphan_signal), 0, 0, 0)
        if os.getppid() != parent:  # it died before we asked
            os.kill(os.getpid(), signal.SIGKILL)

    return ask_the_kernel


def spawn(command: Command, output: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start it in a process group of its own, so that Ctrl-C at the terminal reaches us alone."""
    return subprocess.Popen(
        command.arguments,
        env=dict(command.environment),
        cwd=command.folder,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        process_group=0,
        preexec_fn=dies_with_us(command.orphan_signal),
    )


def kill_tree(pid: int, seconds: float = 10.0) -> None:
    """`kill -9` for a process and all that it started; returns when none is left."""
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        doomed = [root, *root.children(recursive=True)]
        for process in doomed:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        deadline = time.monotonic() + seconds
        for process in doomed:
            while is_alive(process) and time.monotonic() < deadline:
                time.sleep(0.01)


def is_alive(process: psutil.Process) -> bool:
    """A zombie is not: it only waits for its parent to look."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
