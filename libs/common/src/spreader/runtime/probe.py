"""Probe: checks again and again whether a server answers."""

import asyncio
import contextlib

PROBE_SECONDS = 1.0
PROBE_TIMEOUT_SECONDS = 2.0


class Probe:
    """Asks a server again and again whether it answers."""

    def __init__(self) -> None:
        self._trouble: str | None = "not asked yet"
        self._task: asyncio.Task[None] | None = None
        self._ending = asyncio.Event()

    async def ask(self) -> None:
        raise NotImplementedError

    async def _watch(self) -> None:
        while not self._ending.is_set():
            try:
                async with asyncio.timeout(PROBE_TIMEOUT_SECONDS):
                    await self.ask()
                self._trouble = None
            except Exception as error:
                self._trouble = f"no answer: {type(error).__name__}: {error}".strip(": ")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PROBE_SECONDS):
                    await self._ending.wait()

    def begin(self) -> None:
        self._trouble = None
        self._ending.clear()
        self._task = asyncio.create_task(self._watch())

    async def end(self) -> None:
        """Let a question that is under way be answered: aiokafka leaks a connection that is cancelled."""
        self._ending.set()
        if self._task is not None:
            await self._task

    def not_ready_reason(self) -> str | None:
        return self._trouble
