"""Program: how a server or a service is prepared, started, checked and stopped."""

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
    """How to start a program, and the signals that end it."""

    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    folder: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGKILL
    """The signal that the kernel sends if this process dies without having stopped the program. So the program never
    outlives this process."""


class Program(Protocol):
    @property
    def name(self) -> str: ...

    def prepare(self) -> None:
        """Create what the first start needs. This may take seconds, and may be done more than once."""
        ...

    def command(self) -> Command: ...

    async def check(self) -> None:
        """Raise when the program is not ready."""
        ...


def die_with_parent(orphan_signal: signal.Signals) -> Callable[[], None] | None:
    """A `preexec_fn` that makes a child die with this process. None: the operating system has no such call.

    Linux watches the *thread* that started the child, not the process (`man PR_SET_PDEATHSIG`). So start children in
    the main thread.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def set_death_signal() -> None:
        prctl(_PR_SET_PDEATHSIG, int(orphan_signal), 0, 0, 0)
        if os.getppid() != parent:  # the parent has died already
            os.kill(os.getpid(), signal.SIGKILL)

    return set_death_signal


def spawn(command: Command, output: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start the program in its own process group, so that Ctrl-C at the terminal reaches this process and not the
    program."""
    return subprocess.Popen(
        command.arguments,
        env=dict(command.environment),
        cwd=command.folder,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        process_group=0,
        preexec_fn=die_with_parent(command.orphan_signal),
    )


def kill_tree(pid: int, seconds: float = 10.0) -> None:
    """Kill a process and its descendants with SIGKILL. Returns when all of them are gone, or after `seconds`."""
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        processes = [root, *root.children(recursive=True)]
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        deadline = time.monotonic() + seconds
        for process in processes:
            while is_alive(process) and time.monotonic() < deadline:
                time.sleep(0.01)


def is_alive(process: psutil.Process) -> bool:
    """Whether the process still runs. A zombie does not run: it only waits until its parent reads its exit code."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
