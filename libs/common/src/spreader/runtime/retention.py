"""Retention: deletes the old rows of tables, piece by piece. Each piece is a short transaction that reads an index."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.clock import Now
from spreader.runtime.loop import Loop
from spreader.runtime.rows import fetched
from spreader.telemetry.metrics import DELETED_ROWS, OLDEST_ROW, OVERDUE_ROWS, from_zero

PAUSE_FACTOR = 1.0
"""The pause after a full batch is this many times as long as the batch took."""
PAUSE_SECONDS_MIN = 0.02
ROWS_MAX = 1_000
"""The most rows of one table that one transaction deletes."""
EVERY_SECONDS = 300.0
BEGINNING = datetime(1, 1, 1, tzinfo=UTC)
"""The start of a walk, because no row is older."""

DeleteBatch = Callable[[int], Awaitable[int]]
"""Deletes at most this many rows of each table. Returns the largest number of rows that it deleted from one table."""


def retention_loop(
    name: str, delete: DeleteBatch, rows_max: int = ROWS_MAX, every_seconds: float = EVERY_SECONDS
) -> Loop:
    """Calls `delete(rows_max)` every `every_seconds`, and after a short pause again if the batch was full.

    Batches keep transactions short. One large DELETE would hold its locks for minutes, and vacuum would have to wait.
    The pauses leave half of the time to others.
    """

    async def step() -> float:
        began = time.monotonic()
        deleted = await delete(rows_max)
        if deleted < rows_max:
            return every_seconds
        return max(PAUSE_SECONDS_MIN, PAUSE_FACTOR * (time.monotonic() - began))

    return Loop(name, step)


@dataclass(frozen=True, slots=True)
class OldRows:
    """Which rows of a table are old, and for how long they are kept.

    `age`: the column or expression with the time from which a row's age counts. It needs a btree index. `where`: the
    condition of that index if it is partial, and further conditions that almost all old rows fulfil. `needed`: rows
    that fulfil this condition stay, however old they are. There may be many of them, so they are not read again in each
    run, but once in a walk through all old rows.
    """

    table: str
    age: str
    keep: timedelta
    where: str = "true"
    needed: str = ""
    is_system_time: bool = False
    """Whether `age` is a time of the system's clock. Otherwise it is a time of the database."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What one transaction has done. `examined`: how many old rows it has read. `last`: the time of the newest of
    them."""

    examined: int
    deleted: int
    last: datetime | None


@dataclass(frozen=True, slots=True)
class Turn:
    """Whether this instance may delete old rows of a table now, and the database's time."""

    is_mine: bool
    now: datetime
    planner: str


@dataclass
class Retention:
    """Deletes the old rows of a service. If several instances run, only one works on a table at a time."""

    engine: AsyncEngine
    now: Now
    tables: Callable[[], Sequence[OldRows]]
    _reached: dict[str, datetime] = field(default_factory=dict[str, datetime], init=False)
    """For a table with more old rows: the time that the next piece begins with. So it need not read the index entries
    of the rows that were deleted just before."""

    def __post_init__(self) -> None:
        for metric in (DELETED_ROWS, OLDEST_ROW, OVERDUE_ROWS):
            from_zero(metric, [old.table for old in self.tables()])

    async def delete_old(self, rows_max: int) -> int:
        """Delete at most `rows_max` old rows of each table, in one transaction for each. Returns `rows_max` if a table
        may have more, otherwise the largest number of rows that it deleted from one table."""
        return max([await self._delete(old, rows_max) for old in self.tables()], default=0)

    async def _delete(self, old: OldRows, rows_max: int) -> int:
        async with self.engine.begin() as connection:
            (turn,) = fetched(Turn, await connection.execute(TAKE_TURN, {"table": old.table}))
            if not turn.is_mine:
                return 0  # another instance is deleting old rows of this table
            now = self.now() if old.is_system_time else turn.now
            after = self._reached.get(old.table, BEGINNING)
            params = {"before": now - old.keep, "after": after, "rows": rows_max}
            (piece,) = fetched(Piece, await connection.execute(deletion_of(old), params))
            oldest: datetime | None = (await connection.execute(oldest_of(old))).scalar_one_or_none()
        is_full = piece.examined >= rows_max and piece.last is not None
        if is_full and piece.last is not None:
            self._reached[old.table] = piece.last
        else:
            self._reached.pop(old.table, None)
        DELETED_ROWS.labels(old.table).inc(piece.deleted)
        OLDEST_ROW.labels(old.table).set(age_seconds(oldest, now))
        OVERDUE_ROWS.labels(old.table).set(age_seconds(piece.last, now - old.keep) if is_full else 0)
        return rows_max if is_full else piece.deleted


def age_seconds(since: datetime | None, until: datetime) -> float:
    """The seconds from `since` to `until`. 0: `since` is None, or is later than `until`."""
    return 0.0 if since is None else max(0.0, (until - since).total_seconds())


TAKE_TURN = text("""
SELECT pg_try_advisory_xact_lock(hashtext('retention'), hashtext(:table)) AS is_mine, statement_timestamp() AS now,
       set_config('enable_seqscan', 'off', true) || set_config('enable_hashjoin', 'off', true)
       || set_config('enable_mergejoin', 'off', true) || set_config('enable_sort', 'off', true) AS planner""")
"""Tries to get the lock of the table. Until the transaction ends, it also turns off the plans that read whole tables.
After many rows were inserted or deleted, the statistics are wrong for a while, and the planner would sometimes choose
such a plan."""


def deletion_of(old: OldRows) -> TextClause:
    """The statement that deletes the next piece. It reads rows in the order of their age, at most as many as it may
    delete. Without `needed`, rows that another transaction has locked are left for the next run, because they are in
    use."""
    begin, lock, kept = (">", "", f"AND NOT {old.needed}") if old.needed else (">=", "FOR UPDATE SKIP LOCKED", "")
    return text(f"""
WITH examined AS MATERIALIZED (
    SELECT ctid AS place, {old.age} AS age FROM {old.table}
    WHERE {old.age} {begin} CAST(:after AS timestamptz) AND {old.age} < CAST(:before AS timestamptz) AND {old.where}
    ORDER BY {old.age} LIMIT CAST(:rows AS int) {lock}),
deleted AS (
    DELETE FROM {old.table} WHERE ctid = ANY (ARRAY(SELECT place FROM examined)) {kept} RETURNING 1)
SELECT (SELECT count(*) FROM examined) AS examined, (SELECT count(*) FROM deleted) AS deleted,
       (SELECT max(age) FROM examined) AS last""")


def oldest_of(old: OldRows) -> TextClause:
    """The statement that finds the time from which the age of the oldest row counts."""
    return text(f"""
SELECT {old.age} FROM {old.table} WHERE {old.where} AND {old.age} < 'infinity' ORDER BY {old.age} LIMIT 1""")
