"""Child process: calls functions in a process of its own, one at a time.

Work that takes processor time would hold up the event loop of a service, even in a thread, because threads share one
interpreter.
"""

import asyncio
import contextlib
import pickle
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from typing import TypeVar

import structlog

from spreader.runtime.child_worker import LENGTH_BYTES, LOADED, frame

log = structlog.get_logger()

T = TypeVar("T")

LOAD_SECONDS = 60.0
"""A child that has not loaded after this time is replaced. Loading takes long on a busy machine."""
STOP_SECONDS = 1.0
WRITTEN_AT_ONCE = 256 * 1024


def command(*modules: str) -> Sequence[str]:
    """The command of a child that imports these modules at its start."""
    return (sys.executable, "-m", "spreader.runtime.child_worker", *modules)


class ChildProcess:
    """Starts the child when it is needed, and another one when it has ended or does not answer in time."""

    def __init__(self, name: str, command: Sequence[str], call_seconds: float) -> None:
        self._name = name
        self._command = command
        self._call_seconds = call_seconds
        self._child: Process | None = None
        self._is_loaded = False
        self._is_stopped = False
        self._turn = asyncio.Lock()

    @property
    def process_id(self) -> int | None:
        return None if self._child is None else self._child.pid

    async def launch(self) -> None:
        """Starts the child, which then loads. The first call waits until it has loaded."""
        await self._spawn()

    async def start(self) -> None:
        """Starts the child and waits until it has loaded, so that the first call is quick. If the child does not load,
        the first call tries again."""
        child = await self._spawn()
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            async with asyncio.timeout(self._call_seconds):
                await self._loaded(child)

    async def stop(self) -> None:
        """A call that is still running fails with OSError or asyncio.IncompleteReadError."""
        self._is_stopped = True  # so that this call starts no other child
        if self._child is not None and self._child.stdin is not None:
            self._child.stdin.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_SECONDS):
                    await self._child.wait()
        await self._end()

    async def call(self, function: Callable[[bytes], T], argument: bytes | bytearray) -> T:
        """The result of the function, which must be importable by its name.

        Raises RuntimeError if the function raises an error. Raises OSError or asyncio.IncompleteReadError if the child
        ends twice, because the first one may have ended before it got the call. Raises TimeoutError if the call takes
        too long.
        """
        async with self._turn:
            try:
                return await self._call(function, argument)
            except asyncio.CancelledError:
                await self._end()  # the child may be in the middle of the call
                raise

    async def _call(self, function: Callable[[bytes], T], argument: bytes | bytearray) -> T:
        for is_last in (False, True):
            try:
                child = self._child or await self._spawn()
                async with asyncio.timeout(LOAD_SECONDS):
                    await self._loaded(child)
                async with asyncio.timeout(self._call_seconds):
                    return await _exchange(child, function, argument)
            except TimeoutError:
                log.warning("a child process takes too long; starting another one", child=self._name)
                await self._replace()
                raise
            except (OSError, asyncio.IncompleteReadError):
                log.warning("a child process has ended; starting another one", child=self._name)
                await self._replace()
                if is_last:
                    raise
        raise AssertionError

    async def _loaded(self, child: Process) -> None:
        if not self._is_loaded:
            assert child.stdout is not None
            await child.stdout.readexactly(len(LOADED))
            self._is_loaded = True

    async def _spawn(self) -> Process:
        if self._is_stopped:
            raise ChildProcessError(f"{self._name}: stopped")
        self._is_loaded = False
        self._child = await asyncio.create_subprocess_exec(*self._command, stdin=PIPE, stdout=PIPE)
        return self._child

    async def _replace(self) -> None:
        """End the child and start another one. The new child begins to load at once, not only with the next call."""
        await self._end()
        await self._spawn()

    async def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            if child.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    child.kill()
            await child.wait()


async def _exchange(child: Process, function: Callable[[bytes], T], argument: bytes | bytearray) -> T:
    assert child.stdin is not None
    assert child.stdout is not None
    called = pickle.dumps(function, pickle.HIGHEST_PROTOCOL)
    child.stdin.write(frame(called) + called + frame(argument))
    for start in range(0, len(argument), WRITTEN_AT_ONCE):
        child.stdin.write(argument[start : start + WRITTEN_AT_ONCE])
        await child.stdin.drain()
    length = int.from_bytes(await child.stdout.readexactly(LENGTH_BYTES))
    succeeded, result = pickle.loads(await child.stdout.readexactly(length))  # noqa: S301
    if not succeeded:
        raise RuntimeError(result)
    return result
