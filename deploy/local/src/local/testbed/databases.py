"""Databases: a migrated schema for each service. A schema is migrated once in a test run, and emptied before each
test."""

import contextlib
from collections.abc import AsyncGenerator

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from local.servers.postgres import OTHERS, TABLES, create_database
from spreader.runtime.migrations.runner import migrate
from spreader.runtime.postgres import create_engine
from spreader.settings import Settings


class MigratedDatabases:
    """One database for each service, on one server. A new database for each test would take five times as long."""

    def __init__(self, server_url: str, prefix: str) -> None:
        self._server_url = server_url
        self._prefix = prefix
        self._is_migrated: dict[str, bool] = {}

    @property
    def names(self) -> list[str]:
        return [self._name(service) for service in self._is_migrated]

    @contextlib.asynccontextmanager
    async def of(self, service: str) -> AsyncGenerator[AsyncEngine]:
        url = f"{self._server_url.rpartition('/')[0]}/{self._name(service)}"
        if self._is_migrated.get(service):
            await _empty(url, service)
        else:
            await create_database(self._server_url, self._name(service))
            self._is_migrated[service] = False
        engine = create_engine(Settings(database_url=url), service)
        try:
            if not self._is_migrated[service]:
                await migrate(engine, service)
                self._is_migrated[service] = True
            yield engine
        finally:
            await engine.dispose()

    def _name(self, service: str) -> str:
        return f"{self._prefix}_{service}"


async def _empty(url: str, service: str) -> None:
    """Empty the schema. Before that, end the connections that a test has left open, because they may hold locks."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        await connection.execute(OTHERS)
        await connection.execute(f"TRUNCATE {await connection.fetchval(TABLES, service)} RESTART IDENTITY CASCADE")
    finally:
        await connection.close()
