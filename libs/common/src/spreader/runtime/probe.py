"""Probe: a repeated check that a server is up."""

import asyncio
import contextlib
import time

from spreader.runtime.cancellation import is_cancelled

PROBE_SECONDS = 4.0
RECOVERY_SECONDS = 1.0
"""The time to the next check after one that failed, so that the service is soon ready again."""
ANSWER_SECONDS = 2.0
CHECK_SECONDS = 15.0
STOP_SECONDS = 3.0


class Probe:
    """A subclass implements `check`. If `check` raises an error, the server is not up and the component is not ready.

    If a check takes longer than `ANSWER_SECONDS`, the component is not ready, but the check continues. If it were cut
    off while a client connects, the client would have to begin again, and aiokafka would leak the connection.
    """

    def __init__(self) -> None:
        self._reason: str | None = None
        self._checking_since: float | None = None
        self._task: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()

    async def check(self) -> None:
        raise NotImplementedError

    def start_checks(self) -> None:
        self._reason = None
        self._stop.clear()
        self._task = asyncio.create_task(self._run())

    async def stop_checks(self) -> None:
        """Wait up to `STOP_SECONDS` for a running check, then cut it off."""
        self._stop.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=STOP_SECONDS)
            self._task.cancel()
            await asyncio.wait([self._task], timeout=STOP_SECONDS)

    def not_ready_reason(self) -> str | None:
        if self._reason is None and self._checking_since is not None:
            seconds = time.monotonic() - self._checking_since
            if seconds > ANSWER_SECONDS:
                return f"no answer for {seconds:.0f} s"
        return self._reason

    async def _run(self) -> None:
        while not self._stop.is_set():
            self._checking_since = time.monotonic()
            try:
                async with asyncio.timeout(CHECK_SECONDS):
                    await self.check()
                self._reason = None
            except (Exception, asyncio.CancelledError) as error:
                if is_cancelled():
                    raise
                self._reason = f"no answer: {type(error).__name__}: {error}".strip(": ")
            finally:
                self._checking_since = None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PROBE_SECONDS if self._reason is None else RECOVERY_SECONDS):
                    await self._stop.wait()
