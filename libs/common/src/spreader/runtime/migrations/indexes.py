"""Indexes: building and dropping them in a migration without stopping those who write to the table."""

from collections.abc import Generator
from contextlib import contextmanager

import structlog
from alembic import op
from sqlalchemy import Connection

from spreader.runtime.migrations import sql

log = structlog.get_logger()


def create_index_concurrently(name: str, on: str, *, unique: bool = False) -> None:
    """Build an index: `create_index_concurrently("pacer.delivery_age", "delivery (changed_at)")`.

    Call this before everything else in `upgrade`, because it ends the transaction of the migration. A migration that
    fails after that runs again from its beginning. Then an index that is complete stays, and an index that a failed try
    has left incomplete is dropped and built again.
    """
    schema, index = name.split(".")
    with _outside_transactions() as connection:
        is_valid = connection.execute(sql.INDEX_IS_VALID, {"name": name}).scalar()
        if is_valid:
            log.info("the index exists already", index=name)
            return
        if is_valid is not None:
            log.warning("dropping an index that a failed try has left; building it again", index=name)
            op.execute(f"DROP INDEX CONCURRENTLY {name}")
        op.execute(f"CREATE {'UNIQUE ' if unique else ''}INDEX CONCURRENTLY {index} ON {schema}.{on}")


def drop_index_concurrently(name: str) -> None:
    """Drop an index if it exists. Call this before everything else in `upgrade`, because it ends the transaction."""
    with _outside_transactions():
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")


@contextmanager
def _outside_transactions() -> Generator[Connection]:
    """Statements in this block have no transaction and no lock time-out. They may wait for older transactions, because
    no other statement waits behind them."""
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        try:
            yield op.get_bind()
        finally:
            op.execute("RESET lock_timeout")
