"""Eraser: removes erased persons from the tables of a service in short transactions, and reports what it removed."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy import TextClause
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from spreader.clock import Now
from spreader.contract.events import ErasureReported, RecipientErased
from spreader.contract.ids import ERASED
from spreader.erasure.postgres import KEPT, ErasureTable, OpenErasure
from spreader.erasure.sql_removals import Removal
from spreader.kafka.bus import Bus
from spreader.kafka.guarded_consumer import Received
from spreader.phone.canonical import spellings
from spreader.runtime.loop import Loop
from spreader.runtime.postgres import autocommit
from spreader.telemetry.metrics import ERASED_ROWS, OPEN_ERASURES

log = structlog.get_logger()

ROWS_MAX = 500
"""The most rows of one table that one transaction changes."""
IDLE_SECONDS = 10.0
PAUSE_SECONDS_MIN = 0.05
LOCKED_SECONDS = 0.5
DELETE_EVERY_SECONDS = 3_600.0


@dataclass(frozen=True, slots=True)
class ErasureParameters:
    """The parameters of all removals. `numbers`: the number in each of its forms. `quoted`: a regular expression that
    finds any of these forms in JSON. `erased`: the text that takes the place of the number. `alias`: a unique text that
    takes the place of the number in tables where the number is part of a key. `overdue`: whether the erasure has waited
    for so long that it waits for nothing any more. `rows`: the most rows that one statement changes."""

    numbers: list[str]
    quoted: str
    at: datetime
    handled_at: datetime
    keep_suppression: bool
    erased: str
    alias: str
    overdue: bool
    rows: int

    @classmethod
    def of(cls, erasure: OpenErasure) -> "ErasureParameters":
        numbers = list(spellings(erasure.recipient))
        return cls(
            numbers=numbers,
            quoted=f'"({"|".join(numbers)})"',
            at=erasure.at,
            handled_at=erasure.handled_at,
            keep_suppression=erasure.keep_suppression,
            erased=ERASED,
            alias=erasure.erasure_id,
            overdue=erasure.is_overdue,
            rows=ROWS_MAX,
        )


Step = Callable[[AsyncConnection, OpenErasure], Awaitable[Mapping[str, int]]]
"""Removes something that one statement cannot remove. Returns how many rows it changed in each table."""
Finish = Callable[[AsyncConnection, ErasureReported], Awaitable[None]]
"""Reports to the ingress what was removed, before the transaction that ends the erasure commits."""


def report_to(bus: Bus) -> Finish:
    async def publish(_: AsyncConnection, report: ErasureReported) -> None:
        await bus.publish(report)

    return publish


async def no_step(_: AsyncConnection, __: OpenErasure) -> Mapping[str, int]:
    return {}


def nothing() -> None:
    """The default of `on_removed`."""


@dataclass
class Eraser:
    """`removals`: the removals in the order in which they run. `waits`: statements that say whether something else must
    end before the erasure can end. `on_removed`: called after the commit of a transaction that changed rows. `keep`:
    how long a finished erasure is remembered."""

    engine: AsyncEngine
    table: ErasureTable
    now: Now
    removals: Sequence[Removal]
    finish: Finish
    waits: Sequence[TextClause] = ()
    step: Step = no_step
    on_removed: Callable[[], None] = nothing
    keep: timedelta = KEPT
    loop: Loop = field(init=False)
    _deleted_at: float = field(default=-DELETE_EVERY_SECONDS, init=False)

    def __post_init__(self) -> None:
        self.loop = Loop("erase persons", self.run_once)
        OPEN_ERASURES.set(0)
        for removal in self.removals:
            ERASED_ROWS.labels(removal.table)

    async def on_erased(self, batch: Sequence[Received[RecipientErased]]) -> None:
        """The handler of erasures. It only stores them. The loop removes the persons later. After a crash, the loop of
        any process continues the removal."""
        async with self.engine.begin() as connection:
            await self.table.note(connection, [received.event for received in batch], self.now())
        self.loop.wake()

    async def run_once(self) -> float:
        """Do one piece of one erasure. Returns the seconds until the next piece."""
        async with autocommit(self.engine) as connection:
            state = await self.table.open_erasures(connection)
            OPEN_ERASURES.set(state.unfinished)
            if state.due_in is None or state.due_in > 0:
                return await self._idle(connection, IDLE_SECONDS if state.due_in is None else state.due_in)
        return 0 if await self._work() else LOCKED_SECONDS

    async def _idle(self, connection: AsyncConnection, due_in: float) -> float:
        if time.monotonic() - self._deleted_at > DELETE_EVERY_SECONDS:
            await self.table.delete_old(connection, self.keep, ROWS_MAX)
            self._deleted_at = time.monotonic()
        return max(min(due_in, IDLE_SECONDS), PAUSE_SECONDS_MIN)

    async def _work(self) -> bool:
        """Work on the next erasure. Returns False if other processes work on all erasures that are due."""
        async with self.engine.begin() as connection:
            erasure = await self.table.next_due(connection)
            if erasure is None:
                return False
            if erasure.is_settled is None:
                await self.table.note_unaware(connection, erasure.erasure_id)
            removed = await self._remove(connection, erasure)
            if removed:
                await self.table.save(connection, erasure.erasure_id, _sum(erasure.rows, removed))
            elif erasure.is_settled and not await self._must_wait(connection, erasure):
                await self._end(connection, erasure)
            elif erasure.is_settled is not None:  # otherwise the erasure stays due, and the next look follows at once
                await self.table.look_again(connection, erasure.erasure_id)
        if removed:
            for table, rows in removed.items():
                ERASED_ROWS.labels(table).inc(rows)
            self.on_removed()
        return True

    async def _remove(self, connection: AsyncConnection, erasure: OpenErasure) -> Mapping[str, int]:
        """Remove one piece from each table. Returns how many rows of each table it changed.

        The step runs only when the removals have nothing left to change, because the step may wait for Kafka. Otherwise
        rows that the removals have changed would stay locked meanwhile.
        """
        params, removed = asdict(ErasureParameters.of(erasure)), dict[str, int]()
        for removal in self.removals:
            removed = _sum(removed, {removal.table: (await connection.execute(removal.statement, params)).rowcount})
        return removed or _sum(await self.step(connection, erasure), {})

    async def _must_wait(self, connection: AsyncConnection, erasure: OpenErasure) -> bool:
        """Whether the erasure cannot end yet. The reason may be a row that is left because another transaction had
        locked it. Or something in `waits` has not ended."""
        params = asdict(ErasureParameters.of(erasure))
        for statement in (*(removal.is_left for removal in self.removals), *self.waits):
            if (await connection.execute(statement, params)).scalar_one():
                return True
        return False

    async def _end(self, connection: AsyncConnection, erasure: OpenErasure) -> None:
        rows = dict(erasure.rows)
        report = ErasureReported(
            erasure_id=erasure.erasure_id, service=self.table.schema, rows=rows, at=max(self.now(), erasure.handled_at)
        )
        await self.finish(connection, report)
        await self.table.end(connection, erasure.erasure_id)
        log.info("a person is erased from this service", erasure_id=erasure.erasure_id, rows=rows)


def _sum(first: Mapping[str, int], second: Mapping[str, int]) -> dict[str, int]:
    totals = {table: first.get(table, 0) + second.get(table, 0) for table in sorted({*first, *second})}
    return {table: total for table, total in totals.items() if total}
