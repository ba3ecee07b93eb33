"""Bounded connection: an asyncpg connection that is thrown away when Postgres does not answer, and never awaited.

asyncpg and SQLAlchemy bound a statement. They do not bound, or only by the same half minute, what follows a broken one:
to roll it back, to close the connection and to close old prepared statements. A task that waits there keeps its place
in the pool, and a pool without a free place stops the whole service.
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
        """SQLAlchemy begins, commits and rolls back with this."""
        seconds = ROLLBACK_SECONDS if query.startswith("ROLLBACK") else COMMAND_SECONDS
        async with self._at_most(seconds, query):
            return await super().execute(query, *args, timeout=timeout)

    async def close(self, *, timeout: float | None = None) -> None:
        """If the connection cannot be closed, it is dropped. Nothing is raised then."""
        with contextlib.suppress(ConnectionDoesNotExistError):
            async with self._at_most(CLOSE_SECONDS, "closing"):
                await super().close(timeout=CLOSE_SECONDS)

    async def _cleanup_stmts(self) -> None:  # asyncpg closes them without a time limit
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
