"""Postgres: engines with time-outs, migrations of a service's schema, and which errors are transient."""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, event, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from spreader.runtime import timestamps
from spreader.settings import Settings

CONNECT_SECONDS = 5.0
STATEMENT_MS = 30_000
LOCK_MS = 10_000
POOL_WAIT_SECONDS = 10.0
# Classes of SQLSTATE: connection failure, rollback, lack of resources, intervention of an operator, system error.
TRANSIENT_CLASSES = ("08", "40", "53", "57", "58")
# Single states: lock not available, object in use, read-only (during a failover), idle in a transaction for too long.
TRANSIENT_STATES = ("55P03", "55006", "25006", "25P03")
MIGRATION_LOCK = 7_201_944  # advisory lock of all services: they migrate one after the other


def create_engine(settings: Settings, service: str) -> AsyncEngine:
    """A connection pool for one service. It connects on first use."""
    engine = create_async_engine(
        make_url(settings.database_url).set(drivername="postgresql+asyncpg"),
        pool_size=settings.database_connections,
        max_overflow=0,
        pool_timeout=POOL_WAIT_SECONDS,
        pool_pre_ping=False,
        hide_parameters=True,  # errors are logged: they must not contain phone numbers or messages
        connect_args={
            "timeout": CONNECT_SECONDS,
            "command_timeout": STATEMENT_MS / 1000 + 5,
            "server_settings": {
                "application_name": f"spreader-{settings.instance or service}",
                "statement_timeout": str(STATEMENT_MS),
                "lock_timeout": str(LOCK_MS),
                "idle_in_transaction_session_timeout": str(2 * STATEMENT_MS),
                "timezone": "UTC",
                "jit": "off",  # the statements are short: compiling them costs more than it saves
            },
        },
    )
    event.listen(engine.sync_engine, "connect", _prepare_connection)
    return engine


def _prepare_connection(connection: Any, _: object) -> None:
    """Called by SQLAlchemy with its adapter of each new asyncpg connection."""
    connection.run_async(timestamps.register)


def is_transient(error: BaseException) -> bool:
    """Whether the same statement may succeed later, for example because the server is down or a lock timed out.

    It cannot succeed later if the statement or its data are wrong. The error's SQLSTATE decides (PostgreSQL's
    documentation, appendix A, lists the classes). SQLAlchemy's exception classes are too coarse: one and the same class
    stands for a server that is down and for a value that is refused (a NUL in a text, a number out of range).
    """
    if not isinstance(error, DBAPIError):
        return isinstance(error, PoolTimeout | OSError | TimeoutError)
    state = getattr(error.orig, "sqlstate", None)
    if state is None:  # an error of the driver, which lost the connection or could not encode a value
        return error.orig is not None and not isinstance(error.orig.__cause__, ValueError | TypeError)
    return state[:2] in TRANSIENT_CLASSES or state in TRANSIENT_STATES


def statements(script: str) -> Sequence[str]:
    """Split a script at semicolons that end a line, because asyncpg executes one statement at a time."""
    return [piece.strip() for piece in script.split(";\n") if piece.strip()]


async def migrate(engine: AsyncEngine, service: str) -> None:
    """Migrate the schema of `service` to its newest version. Several processes may call this at once."""
    async with engine.begin() as connection:
        await connection.execute(
            text("SET LOCAL lock_timeout = 0")
        )  # another service's migration may take longer than the default time-out
        await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
        await connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{service}"'))
        await connection.execute(text(_POSITION_TABLE.format(schema=service)))
        await connection.run_sync(_upgrade, service)


def _upgrade(connection: Connection, service: str) -> None:
    command.upgrade(_alembic(service, connection=connection), "head")


def _alembic(service: str, **attributes: Any) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parents[1] / "migrations"))
    config.set_main_option("version_locations", str(files(service) / "migrations"))
    config.set_main_option("path_separator", "newline")
    config.attributes.update(attributes, schema=service)
    return config


_POSITION_TABLE = """
CREATE TABLE IF NOT EXISTS "{schema}".position (
    cluster_id  text   NOT NULL,
    topic       text   NOT NULL,
    partition   int    NOT NULL,
    next_offset bigint NOT NULL,
    PRIMARY KEY (cluster_id, topic, partition)
)"""
