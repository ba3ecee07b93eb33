"""Postgres component: migrates a schema at the start, then checks that the server answers."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.runtime.postgres import migrate
from spreader.runtime.probe import Probe


class PostgresComponent(Probe):
    """The engine, migrated before anything else starts."""

    def __init__(self, engine: AsyncEngine, service: str, name: str = "postgres") -> None:
        super().__init__()
        self.name = name
        self._engine = engine
        self._service = service

    async def ask(self) -> None:
        async with self._engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def start(self) -> None:
        await migrate(self._engine, self._service)
        self.begin()

    async def stop(self) -> None:
        await self.end()
        await self._engine.dispose()

    def is_live(self) -> bool:
        return True
