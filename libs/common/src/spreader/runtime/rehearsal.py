"""Rehearsal: does once at the start what the first request would otherwise wait for."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from spreader.runtime.postgres import autocommit


class Rehearsal:
    """A component. Put it last, because the first steps of the loops open more connections. The rehearsal writes
    nothing; it only prepares statements."""

    def __init__(self, name: str, rehearse: Callable[[], Awaitable[None]]) -> None:
        self.name = name
        self._rehearse = rehearse

    async def start(self) -> None:
        await self._rehearse()

    async def stop(self) -> None:
        pass

    def not_ready_reason(self) -> str | None:
        return None

    def is_live(self) -> bool:
        return True


@asynccontextmanager
async def free_connections(engine: AsyncEngine) -> AsyncGenerator[Sequence[AsyncConnection]]:
    """All connections of the pool that are not in use now, but at least one. A rehearsal needs them all, because a
    statement is prepared for one connection only."""
    pool: Any = engine.pool
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(autocommit(engine)) for _ in range(max(1, pool.checkedin()))]
