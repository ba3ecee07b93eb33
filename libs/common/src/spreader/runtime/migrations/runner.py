"""Runner of migrations: brings a schema to its newest version while other instances go on working.

Decision 0046 says why a migration's statements have no time-out, but its waits for locks have a short one.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any
from zlib import crc32

import structlog
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from spreader.runtime.migrations import sql
from spreader.runtime.postgres import create_migration_engine
from spreader.runtime.rows import fetched

log = structlog.get_logger()

MIGRATION_LOCK = 7_201_945
"""The first key of the advisory lock. The second key names the service. Older versions wait for a lock with another
key, inside a transaction. If the keys were equal, CREATE INDEX CONCURRENTLY would wait for ever for that
transaction."""
TURN_SECONDS = 0.25  # between two tries to get the advisory lock
LOOK_SECONDS = 1.0
SAY_SECONDS = 10.0  # between two log lines about one wait or one statement
LOST_SECONDS = 30.0
"""If Postgres does not know the migration's process for this long, the connection is lost."""
PAUSE_SECONDS = 4.0  # after a table could not be locked, so that the statements behind the migration can run
NOT_LOCKED = ("55P03", "40P01")  # lock_timeout, and a deadlock

Report = Callable[[str], None]
"""Is called with what the migration does or waits for."""


async def migrate(engine: AsyncEngine, service: str, report: Report = lambda _: None) -> None:
    """Migrate the schema of `service` to its newest version. Several processes may call this at once.

    Waits as long as another instance migrates. A schema that is newer than this version stays as it is, because the
    previous version of a service works with the tables of the next one.
    """
    scripts = Scripts.of(service)
    migrations = create_migration_engine(engine, service)
    no_transactions = migrations.execution_options(isolation_level="AUTOCOMMIT")
    try:
        if not await _is_done(no_transactions, scripts):
            async with _session(migrations) as connection:
                await _take_turn(connection, service, report)
                await _run_watched(Run(scripts, connection, report), no_transactions)
    finally:
        await migrations.dispose()


class NotMigrated(Exception):
    """Somebody else must migrate the schema, because the service is set to leave it as it is."""


async def require_migrated(engine: AsyncEngine, service: str) -> None:
    """Raises NotMigrated if a migration of the schema is missing. It needs no right to change the schema."""
    migrations = create_migration_engine(engine, service)
    try:
        is_done = await _is_done(migrations.execution_options(isolation_level="AUTOCOMMIT"), Scripts.of(service))
    finally:
        await migrations.dispose()
    if not is_done:
        raise NotMigrated(
            f"the schema {service} has not its newest version: run `python -m spreader migrate {service}` with the "
            "role that owns it"
        )


@dataclass(frozen=True, slots=True)
class Scripts:
    """The migrations of a service, in the order in which they run."""

    service: str
    revisions: Sequence[str]

    @classmethod
    def of(cls, service: str) -> "Scripts":
        directory = ScriptDirectory.from_config(_alembic(service))
        return cls(service, [script.revision for script in directory.walk_revisions()][::-1])

    def after(self, revision: str | None) -> Sequence[str]:
        """The migrations that are still to run. If this version does not know `revision`, there are none, because a
        newer version has migrated the schema."""
        if revision is None:
            return self.revisions
        return self.revisions[self.revisions.index(revision) + 1 :] if revision in self.revisions else ()


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the migrations that are missing, on a connection that holds the advisory lock."""

    scripts: Scripts
    connection: AsyncConnection
    report: Report

    async def upgrade(self) -> None:
        service, began = self.scripts.service, time.monotonic()
        await self._until_locked(lambda: _prepare(self.connection, service))
        revision = await _revision(self.connection, service)
        pending = self.scripts.after(revision)
        if pending:
            log.info("migrating the schema", schema=service, version=revision, pending=list(pending))
            await self._until_locked(lambda: self.connection.run_sync(_upgrade, service))
            log.info("migrated the schema", schema=service, seconds=round(time.monotonic() - began, 1))

    async def _until_locked(self, step: Callable[[], Awaitable[None]]) -> None:
        """Run `step` again until it gets the locks of its tables. Each try waits at most `lock_timeout` for a lock."""
        while True:
            try:
                return await step()
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) not in NOT_LOCKED:
                    raise
            await self.connection.rollback()
            self.report("a table is in use; the migration lets other statements pass, then tries again to lock it")
            log.info(
                "cannot lock a table for a migration; letting other statements pass, then trying again",
                schema=self.scripts.service,
                seconds=PAUSE_SECONDS,
            )
            await asyncio.sleep(PAUSE_SECONDS * random.uniform(0.5, 1))


async def _run_watched(run: Run, engine: AsyncEngine) -> None:
    """Run the migrations, and report their progress. Raises ConnectionError when their connection is lost.

    If this ends early, Postgres finishes the statement that runs, and the next instance waits for it.
    """
    pid: int = (await run.connection.execute(sql.OWN_PROCESS)).scalar_one()
    await run.connection.commit()
    driver: Any = (await run.connection.get_raw_connection()).driver_connection
    upgrading = asyncio.create_task(run.upgrade())
    watching = asyncio.create_task(_watch(run, engine, pid))
    tasks = {upgrading, watching}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        await (upgrading if upgrading.done() else watching)
    finally:
        if not upgrading.done():
            driver.terminate()  # closing politely would wait for a server that may be gone
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _watch(run: Run, engine: AsyncEngine, pid: int) -> None:
    """Report what process `pid` of Postgres does, until the process is gone. Nothing else would notice if the server
    died during a statement, because the statement has no time-out."""
    progress, seen = _Progress(run.report, run.scripts.service), time.monotonic()
    while time.monotonic() - seen < LOST_SECONDS:
        await asyncio.sleep(LOOK_SECONDS)
        with contextlib.suppress(DBAPIError, OSError, TimeoutError):
            async with asyncio.timeout(LOST_SECONDS / 2), _session(engine) as connection:
                activities = fetched(sql.Activity, await connection.execute(sql.OF_PROCESS, {"pid": pid}))
            for activity in activities:
                seen = time.monotonic()
                if activity.is_active:
                    progress.tell(f"migrating: {activity.text}")
    raise ConnectionError("the connection of the migration is lost")


@dataclass(slots=True)
class _Progress:
    """Reports each text. It logs a text only if `SAY_SECONDS` have passed since the last log line."""

    report: Report
    schema: str
    _logged: float | None = None

    def tell(self, doing: str) -> None:
        self.report(doing)
        if self._logged is None or time.monotonic() - self._logged >= SAY_SECONDS:
            self._logged = time.monotonic()
            log.info(doing, schema=self.schema)


async def _take_turn(connection: AsyncConnection, service: str, report: Report) -> None:
    """Wait for the advisory lock of the service, outside any transaction, for as long as it takes."""
    key = {"space": MIGRATION_LOCK, "service": crc32(service.encode()) & 0x7FFF_FFFF}
    progress = _Progress(report, service)
    await connection.execution_options(isolation_level="AUTOCOMMIT")
    while not (await connection.execute(sql.TRY_LOCK, key)).scalar_one():
        for holder in fetched(sql.Activity, await connection.execute(sql.OF_LOCK_HOLDER, key)):
            progress.tell(f"waiting for another instance that migrates the schema: {holder.text}")
        await asyncio.sleep(TURN_SECONDS)
    await connection.commit()  # SQLAlchemy begins its own transaction also where the server begins none
    await connection.execution_options(isolation_level="READ COMMITTED")


async def _is_done(engine: AsyncEngine, scripts: Scripts) -> bool:
    """Whether no migration is missing. Then the service starts without waiting for its turn."""
    async with _session(engine) as connection:
        if not (await connection.execute(sql.IS_PREPARED, {"schema": scripts.service})).scalar_one():
            return False
        revision = await _revision(connection, scripts.service)
    if revision is not None and revision not in scripts.revisions:
        log.warning(
            "a newer version has migrated the schema; this version uses it as it is",
            schema=scripts.service,
            version=revision,
            newest_known=scripts.revisions[-1],
        )
    return not scripts.after(revision)


async def _prepare(connection: AsyncConnection, service: str) -> None:
    await connection.execute(text(sql.SCHEMA.format(schema=service)))
    await connection.execute(text(sql.POSITION_TABLE.format(schema=service)))
    await connection.commit()


async def _revision(connection: AsyncConnection, service: str) -> str | None:
    revision = None
    if (await connection.execute(sql.HAS_VERSION, {"schema": service})).scalar_one():
        revision = (await connection.execute(text(sql.VERSION.format(schema=service)))).scalar()
    await connection.commit()
    return revision


@contextlib.asynccontextmanager
async def _session(engine: AsyncEngine) -> AsyncGenerator[AsyncConnection]:
    """A connection that is thrown away after an error, because a dead one may never answer a rollback."""
    async with engine.connect() as connection:
        try:
            yield connection
        except BaseException:
            await connection.invalidate()
            raise


def _upgrade(connection: Connection, service: str) -> None:
    command.upgrade(_alembic(service, connection=connection), "head")


def _alembic(service: str, **attributes: Any) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("version_locations", str(files(service) / "migrations"))
    config.set_main_option("path_separator", "newline")
    config.attributes.update(attributes, schema=service)
    return config
