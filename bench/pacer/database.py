"""Database: a durable Postgres of the bench, in a temporary folder and on a free port. It is removed at the end."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from sqlalchemy import text

from local.process.ports import free_port
from local.process.server_process import ServerProcess
from local.servers.postgres import LocalPostgres, create_database, drop_database
from spreader.runtime.migrations.runner import migrate
from spreader.runtime.postgres import create_engine
from spreader.settings import Settings

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Databases:
    """One server, and a database for each measurement."""

    server: ServerProcess
    postgres: LocalPostgres

    def url(self, name: str) -> str:
        return self.postgres.url(name)

    async def create(self, name: str) -> str:
        await create_database(self.url("postgres"), name)
        return self.url(name)

    async def create_for_pacer(self, name: str) -> str:
        url = await self.create(name)
        engine = create_engine(Settings(database_url=url), "pacer")
        try:
            await migrate(engine, "pacer")
        finally:
            await engine.dispose()
        return url

    async def drop(self, name: str) -> None:
        await drop_database(self.url("postgres"), name)

    async def vacuum(self, url: str) -> None:
        """Vacuum now, because autovacuum would do it during the first rounds."""
        engine = create_engine(Settings(database_url=url), "pacer")
        try:
            async with engine.connect() as connection:
                outside = await connection.execution_options(isolation_level="AUTOCOMMIT")
                await outside.execute(text("SET statement_timeout = 0"))
                await outside.execute(text("VACUUM (ANALYZE) pacer.delivery"))
        finally:
            await engine.dispose()

    def restart(self) -> None:
        """Restart Postgres, so that its buffers are empty."""
        self.server.stop()
        self.server.start()

    def mebibytes(self) -> float:
        """The private memory of all Postgres processes. Shared memory is left out, because a setting decides it."""
        assert self.server.pid is not None
        return tree_mebibytes(self.server.pid)


def tree_mebibytes(pid: int) -> float:
    """Private memory (unique set size) of a process and its descendants."""
    root, total = psutil.Process(pid), 0
    for each in (root, *root.children(recursive=True)):
        try:
            total += each.memory_full_info().uss
        except psutil.NoSuchProcess:
            continue
    return total / MEBIBYTE


@asynccontextmanager
async def databases() -> AsyncGenerator[Databases]:
    """Start Postgres in the caller's thread. The kernel stops Postgres when the thread that started it ends."""
    folder = Path(tempfile.mkdtemp(prefix="spreader-bench-pacer-"))
    postgres = LocalPostgres(folder / "postgres", free_port(), durable=True)
    server = ServerProcess(postgres, folder / "postgres.log")
    try:
        server.start()
        yield Databases(server, postgres)
    finally:
        server.stop()
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
