"""Postgres component: migrates a schema at the start, or waits until it is migrated. Then it checks that the server is
up."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.runtime.migrations.runner import migrate, require_migrated
from spreader.runtime.postgres import autocommit
from spreader.runtime.probe import Probe


class PostgresComponent(Probe):
    """Put this component first in a service, because the others need the migrated schema."""

    def __init__(
        self,
        engine: AsyncEngine,
        service: str,
        name: str = "postgres",
        others: Sequence[AsyncEngine] = (),
        migrates: bool = True,
    ) -> None:
        """`others`: further pools of the service, which are closed with this one. `migrates`: whether this component
        migrates the schema. If not, its start fails until somebody else has done it."""
        super().__init__()
        self.name = name
        self._engine = engine
        self._service = service
        self._others = others
        self._migrates = migrates

    async def check(self) -> None:
        async with autocommit(self._engine) as connection:
            await connection.execute(text("SELECT 1"))

    async def start(self) -> None:
        if self._migrates:
            try:
                await migrate(self._engine, self._service, self._report)
            finally:
                self._reason = None
        else:
            await require_migrated(self._engine, self._service)
        self.start_checks()

    def _report(self, migration: str) -> None:
        self._reason = migration

    async def stop(self) -> None:
        await self.stop_checks()
        for engine in (self._engine, *self._others):
            await engine.dispose()

    def is_live(self) -> bool:
        return True
