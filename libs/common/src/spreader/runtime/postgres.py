"""Postgres: engines with time-outs, and which errors are transient."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from sqlalchemy import NullPool, event, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from spreader.connection_faults import secret_in
from spreader.runtime import timestamps
from spreader.runtime.bounded_connection import COMMAND_SECONDS, BoundedConnection
from spreader.settings import Settings
from spreader.tls import tls_context

CONNECT_SECONDS = 5.0
STATEMENT_MS = 30_000
LOCK_MS = 10_000
POOL_WAIT_SECONDS = 10.0
KEEP_ALIVE_SECONDS = 60
"""If nothing is sent for this time, Postgres sends a packet. Otherwise a firewall may forget an idle connection."""
# Classes of SQLSTATE: connection failure, rollback, lack of resources, intervention of an operator, system error.
TRANSIENT_CLASSES = ("08", "40", "53", "57", "58")
# Single states: lock not available, object in use, read-only (during a failover), idle in a transaction for too long.
TRANSIENT_STATES = ("55P03", "55006", "25006", "25P03")
# The states of a statement that Postgres gave up: time-out, lock not available, or class 40 (for example a deadlock).
GIVEN_UP = ("57014", "55P03", "40")
MIGRATION_LOCK_MS = 2_000
"""How long a migration waits for the lock of a table. The time is short, because all later statements on the table wait
behind the migration. It is longer than deadlock_timeout (1 s), because an autovacuum makes room only after that."""
_SECURED = "spreader_secured"
"""The option of an engine that keeps how its connections are secured, so that migrations connect in the same way."""
DATA_CLASSES = ("21", "22", "23", "54")  # cardinality, data, constraint, a row that is too large for an index


def create_engine(settings: Settings, service: str, connections: int | None = None) -> AsyncEngine:
    """A connection pool for one service. It connects on first use. `connections`: its size, if not that of the
    settings."""
    secured = _secured(settings)
    engine = create_async_engine(
        make_url(settings.database_url).set(drivername="postgresql+asyncpg"),
        pool_size=connections or settings.database_connections,
        max_overflow=0,
        pool_timeout=POOL_WAIT_SECONDS,
        pool_use_lifo=True,  # few connections do most of the work, with their statements prepared
        pool_pre_ping=False,
        hide_parameters=True,  # errors are logged, so they must not contain phone numbers or messages
        execution_options={_SECURED: secured},
        connect_args={
            **secured,
            "connection_class": BoundedConnection,
            "timeout": CONNECT_SECONDS,
            "command_timeout": COMMAND_SECONDS,
            "server_settings": {
                "application_name": f"spreader-{settings.instance or service}",
                "statement_timeout": str(STATEMENT_MS),
                "lock_timeout": str(LOCK_MS),
                "idle_in_transaction_session_timeout": str(2 * STATEMENT_MS),
                "tcp_keepalives_idle": str(KEEP_ALIVE_SECONDS),
                "timezone": "UTC",
                "jit": "off",  # the statements are short, so compiling them costs more than it saves
            },
        },
    )
    event.listen(engine.sync_engine, "connect", _prepare_connection)
    return engine


def _secured(settings: Settings) -> Mapping[str, Any]:
    """How connections are encrypted, and who they show. asyncpg asks for the password at each new connection."""
    secured: dict[str, Any] = {}
    if settings.database_security == "verify-full":
        files = settings.database_ca_file, settings.database_certificate_file, settings.database_key_file
        secured["ssl"] = tls_context(*files, "DATABASE")
    if (file := settings.database_password_file) is not None:
        secured["password"] = partial(secret_in, file)
    return secured


@asynccontextmanager
async def autocommit(engine: AsyncEngine) -> AsyncGenerator[AsyncConnection]:
    """A connection on which each statement is a transaction of its own.

    It is for work of one statement, and for reads that need no common snapshot. BEGIN and COMMIT would cost two more
    round trips, and the processor time of two more statements.
    """
    async with engine.connect() as connection:
        yield await connection.execution_options(isolation_level="AUTOCOMMIT")


def _prepare_connection(connection: Any, _: object) -> None:
    """SQLAlchemy calls this with its adapter of each new asyncpg connection."""
    connection.run_async(timestamps.register)


def create_migration_engine(engine: AsyncEngine, service: str) -> AsyncEngine:
    """Connections to the same database for migrations, whose statements may take hours."""
    return create_async_engine(
        engine.url,
        poolclass=NullPool,
        hide_parameters=True,
        connect_args={
            **engine.get_execution_options().get(_SECURED, {}),
            "timeout": CONNECT_SECONDS,
            "server_settings": {
                "application_name": f"spreader-{service}-migration",
                "statement_timeout": "0",
                "lock_timeout": str(MIGRATION_LOCK_MS),
                "idle_in_transaction_session_timeout": "0",
                "timezone": "UTC",
            },
        },
    )


def is_transient(error: BaseException) -> bool:
    """Whether the same statement may succeed later, for example because the server is down or a lock timed out.

    It cannot succeed later if the statement or its data are wrong. The error's SQLSTATE decides (PostgreSQL's
    documentation, appendix A, lists the classes). SQLAlchemy's exception classes are too coarse. It raises
    the same class if the server is down and if a value is refused (such as a NUL in a text).
    """
    if not isinstance(error, DBAPIError):
        return isinstance(error, PoolTimeout | OSError | TimeoutError)
    state = getattr(error.orig, "sqlstate", None)
    if state is None:  # an error of the driver, which lost the connection or could not encode a value
        return error.orig is not None and not isinstance(error.orig.__cause__, ValueError | TypeError)
    return state[:2] in TRANSIENT_CLASSES or state in TRANSIENT_STATES


def is_given_up(error: BaseException) -> bool:
    """Whether Postgres works, but gave up the statement because it took too long or waited for other transactions. Such
    an error is transient, but it may come back with every statement on the same rows."""
    return str(getattr(getattr(error, "orig", None), "sqlstate", None)).startswith(GIVEN_UP)


def is_data_error(error: BaseException) -> bool:
    """Whether a row itself is wrong: it has a value that cannot be stored, or it breaks a constraint.

    False for a failing server and for an error of the statement or the schema, which concern every row.
    """
    if not isinstance(error, DBAPIError):
        return isinstance(error, ValueError)  # a value could not be turned into a row
    state = getattr(error.orig, "sqlstate", None)
    return not is_transient(error) if state is None else state[:2] in DATA_CLASSES


def statements(script: str) -> Sequence[str]:
    """Split a script at semicolons that end a line, because asyncpg executes one statement at a time."""
    return [piece.strip() for piece in script.split(";\n") if piece.strip()]
