"""Bounded connection: an asyncpg connection that is dropped if Postgres does not answer in time.

asyncpg and SQLAlchemy limit the time of a statement to half a minute. After a failed statement they roll back, close
the connection, and close old prepared statements. Some of these steps have no time limit, and the others may take half
a minute more. A task that waits for them keeps its place in the connection pool, and a pool without a free place stops
the whole service.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any

import asyncpg
from asyncpg.exceptions import ConnectionDoesNotExistError

COMMAND_SECONDS = 35.0
ROLLBACK_SECONDS = 5.0
CLOSE_SECONDS = 2.0


class BoundedConnection(asyncpg.Connection):
    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        """SQLAlchemy calls this to begin, commit and roll back a transaction."""
        seconds = ROLLBACK_SECONDS if query.startswith("ROLLBACK") else COMMAND_SECONDS
        async with self._at_most(seconds, query):
            return await super().execute(query, *args, timeout=timeout)

    async def close(self, *, timeout: float | None = None) -> None:
        """Closes the connection, or drops it without an error if it cannot be closed in time."""
        with contextlib.suppress(ConnectionDoesNotExistError):
            async with self._at_most(CLOSE_SECONDS, "closing"):
                await super().close(timeout=CLOSE_SECONDS)

    async def _cleanup_stmts(self) -> None:  # asyncpg closes old statements without a time limit
        async with self._at_most(COMMAND_SECONDS, "closing old statements"):
            await super()._cleanup_stmts()

    @contextlib.asynccontextmanager
    async def _at_most(self, seconds: float, what: str) -> AsyncGenerator[None]:
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError as error:
            self.terminate()
            raise ConnectionDoesNotExistError(f"no answer within {seconds:g} s to {what}: dropped") from error
