"""Probe: a repeated check that a server is up."""

import asyncio
import contextlib

PROBE_SECONDS = 1.0
PROBE_TIMEOUT_SECONDS = 2.0


class Probe:
    """A subclass implements `check`, which raises when the server is not up. The result decides readiness."""

    def __init__(self) -> None:
        self._reason: str | None = "not checked yet"
        self._task: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()

    async def check(self) -> None:
        raise NotImplementedError

    def start_checks(self) -> None:
        self._reason = None
        self._stop.clear()
        self._task = asyncio.create_task(self._run())

    async def stop_checks(self) -> None:
        """Wait for a check that is running, because aiokafka leaks the connection of a cancelled check."""
        self._stop.set()
        if self._task is not None:
            await self._task

    def not_ready_reason(self) -> str | None:
        return self._reason

    async def _run(self) -> None:
        while not self._stop.is_set():
            try:
                async with asyncio.timeout(PROBE_TIMEOUT_SECONDS):
                    await self.check()
                self._reason = None
            except Exception as error:
                self._reason = f"no answer: {type(error).__name__}: {error}".strip(": ")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PROBE_SECONDS):
                    await self._stop.wait()
