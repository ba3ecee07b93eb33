"""Child process: it calls functions, and a call that fails, never ends or is cancelled does not disturb the next."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncGenerator, Sequence

import pytest

from spreader.runtime.child_process import ChildProcess, command

SILENT = (
    sys.executable,
    "-c",
    "import sys; sys.stdout.buffer.write(bytes(8)); sys.stdout.flush(); sys.stdin.buffer.read()",
)
"""A child that loads, and then never answers."""


@contextlib.asynccontextmanager
async def started(command: Sequence[str] = command(), seconds: float = 60.0) -> AsyncGenerator[ChildProcess]:
    child = ChildProcess("test", command, seconds)
    await child.start()
    try:
        yield child
    finally:
        await child.stop()


async def test_calls_with_large_and_small_arguments_come_back_in_order() -> None:
    async with started(command("json")) as child:
        large = bytearray(b"x" * 3_000_000)
        assert await asyncio.gather(*(child.call(len, argument) for argument in (large, b"", b"ab"))) == [
            3_000_000,
            0,
            2,
        ]
        assert await child.call(bytes.upper, bytes(large)) == b"X" * 3_000_000
        assert child.process_id not in (None, os.getpid())


async def test_an_error_of_one_call_is_not_one_of_the_next() -> None:
    async with started() as child:
        process_id = child.process_id
        with pytest.raises(RuntimeError, match="UnicodeDecodeError"):
            await child.call(bytes.decode, b"\xff")
        assert await child.call(exec, b"print('not a result', flush=True)") is None
        assert (await child.call(bytes.decode, b"a"), child.process_id) == ("a", process_id)


async def test_after_the_child_was_killed_or_a_call_was_cancelled_the_next_call_works() -> None:
    async with started() as child:
        killed = child.process_id
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        assert await child.call(len, b"abc") == 3
        endless = asyncio.create_task(child.call(exec, b"import time\ntime.sleep(600)"))
        waiting = asyncio.create_task(child.call(len, b"abcd"))
        for _ in range(3):
            await asyncio.sleep(0)
        endless.cancel()
        assert await waiting == 4
        with pytest.raises(asyncio.CancelledError):
            await endless


async def test_a_call_that_is_running_at_the_end_starts_no_other_child() -> None:
    """Red before: the call started another child, which did not stop."""
    async with started() as child:
        endless = asyncio.create_task(child.call(exec, b"import time\ntime.sleep(600)"))
        for _ in range(3):
            await asyncio.sleep(0)
    with pytest.raises((OSError, asyncio.IncompleteReadError)):
        await endless
    assert child.process_id is None


async def test_a_child_that_does_not_answer_is_replaced() -> None:
    async with started(SILENT, seconds=1.0) as child:
        silent = child.process_id
        with pytest.raises(TimeoutError):
            await child.call(len, b"")
        assert child.process_id not in (None, silent)
