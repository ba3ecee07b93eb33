"""Tables: a service's migrated schema for each test, empty: migrated once a run, emptied before each test."""

import contextlib
from collections.abc import AsyncGenerator

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from local.postgres import OTHERS, TABLES, create_database
from spreader.postgres import create_engine, migrate
from spreader.settings import Settings


class Tables:
    """A database for each service, on one server. To make one for each test would take five times as long."""

    def __init__(self, server_url: str, prefix: str) -> None:
        self._server_url = server_url
        self._prefix = prefix
        self._made: set[str] = set()

    @property
    def databases(self) -> list[str]:
        return [self._name(service) for service in sorted(self._made)]

    @contextlib.asynccontextmanager
    async def of(self, service: str) -> AsyncGenerator[AsyncEngine]:
        url = f"{self._server_url.rpartition('/')[0]}/{self._name(service)}"
        if service in self._made:
            await _empty(url, service)
        else:
            await create_database(self._server_url, self._name(service))
        engine = create_engine(Settings(database_url=url), service)
        try:
            if service not in self._made:
                await migrate(engine, service)
                self._made.add(service)
            yield engine
        finally:
            await engine.dispose()

    def _name(self, service: str) -> str:
        return f"{self._prefix}_{service}"


async def _empty(url: str, service: str) -> None:
    """Whoever a test has left behind is put out first: it may hold a lock."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        await connection.execute(OTHERS)
        await connection.execute(f"TRUNCATE {await connection.fetchval(TABLES, service)} RESTART IDENTITY CASCADE")
    finally:
        await connection.close()
