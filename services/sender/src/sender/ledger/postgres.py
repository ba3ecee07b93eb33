"""Delivery ledger: the deliveries that the sender has to send, their claims and results, and the unpublished events."""

import time
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sender.core.delivery import Delivery, generation
from sender.core.slot_pool import NO_SLOTS, FreeSlots
from sender.ledger.claim import CallStart, Claim, ClaimKey, FinishedClaim, StartingCall
from sender.ledger.delivery_rows import (
    CallStartRow,
    ClaimRow,
    EventRow,
    HostOf,
    NewDeliveryRow,
    NewEventRow,
    ResultRow,
    StartRow,
    claim_of,
    delivery_row,
    event_of,
    event_rows,
    no_host,
    result_row,
    slot_params,
    start_row,
)
from sender.ledger.sql import (
    CLAIM,
    DUE_WORK,
    INSERT_DELIVERIES,
    IS_ONLY_DELIVERY,
    MARK_PUBLISHED,
    RENEW,
    START_CALLS,
    UNPUBLISHED,
    WRITE_RESULTS,
)
from spreader.contract.events import Event, Lane
from spreader.erasure.postgres import ErasureTable
from spreader.kafka.guarded_consumer import Received
from spreader.kafka.offset_store import Deduplicator
from spreader.runtime.postgres import autocommit
from spreader.runtime.rehearsal import free_connections
from spreader.runtime.rows import arrays, fetched

ERASURES = ErasureTable("sender")


@dataclass(frozen=True, slots=True)
class TakenBatch:
    """`claims`: the claims that were made in the commit of the batch. They may be of older deliveries too. `waiting`:
    how many new deliveries of the batch are not claimed yet."""

    claims: tuple[Claim, ...]
    waiting: int


@dataclass(frozen=True, slots=True)
class DueWork:
    """Whether a delivery is due now, and when the next one will be due. A delivery that is due may still wait for a
    slot or for an earlier reply."""

    due_now: bool
    next_in_seconds: float | None


@dataclass(frozen=True, slots=True)
class NotToClaim:
    """Due deliveries that a claim leaves out. `own`: the ids of those that this process is still sending, although
    their leases have ended. `take_over`: whether this process may claim a delivery after another worker's lease has
    ended. The other worker may still have the delivery at the gateway."""

    own: Collection[str] = ()
    take_over: bool = True


NOTHING = NotToClaim()


@dataclass(frozen=True, slots=True)
class DeliveryLedger:
    """The deliveries of one lane, claimed in the name of one worker."""

    engine: AsyncEngine
    deduplicator: Deduplicator
    lane: Lane
    worker: str
    lease: timedelta
    host_of: HostOf = no_host
    erasures: ErasureTable = ERASURES

    async def rehearse(self) -> None:
        """Prepare the statements of a delivery, so that the first delivery does not wait for this.
        Nothing is written, because no statement gets a row."""
        async with free_connections(self.engine) as connections:
            for connection in connections:
                await self.deduplicator.unseen(connection, [])
                await connection.execute(INSERT_DELIVERIES, self._new_rows([]))
                await connection.execute(CLAIM, self._claim_params(NO_SLOTS, NOTHING))
                await connection.execute(START_CALLS, self._start_params([]))
                await connection.execute(WRITE_RESULTS, self._write_params([]))
                await connection.execute(MARK_PUBLISHED, arrays(ClaimKey, []))

    async def take_in(
        self, batch: Sequence[Received[Delivery]], free: FreeSlots, others: NotToClaim = NOTHING
    ) -> TakenBatch:
        """Stores new deliveries and claims due ones, up to the number of free slots, in one commit."""
        async with self.engine.begin() as connection:
            unseen = await self.deduplicator.unseen(connection, batch)
            stored = await self._insert(connection, [received.event for received in unseen])
            claims = await self._claim(connection, free, others)
        return TakenBatch(claims, len(stored - {claim.delivery.delivery_id for claim in claims}))

    async def claim(self, free: FreeSlots, others: NotToClaim = NOTHING) -> tuple[Claim, ...]:
        """Claims due deliveries, up to the number of free slots."""
        async with autocommit(self.engine) as connection:
            return await self._claim(connection, free, others)

    async def due_work(self) -> DueWork:
        async with autocommit(self.engine) as connection:
            return fetched(DueWork, await connection.execute(DUE_WORK, {"lane": self.lane}))[0]

    async def renew(self, claim: Claim) -> Claim | None:
        """The claim with a new lease; None if another worker has claimed the delivery since."""
        lease_until = self._lease_until()
        params = {
            "delivery_id": claim.delivery.delivery_id,
            "claim": claim.number,
            "worker": self.worker,
            "lease": self.lease.total_seconds(),
        }
        async with autocommit(self.engine) as connection:
            renewed = await connection.execute(RENEW, params)
        return replace(claim, lease_until=lease_until) if renewed.rowcount else None

    @asynccontextmanager
    async def start_calls(self, starting: Sequence[StartingCall]) -> AsyncGenerator[dict[ClaimKey, CallStart]]:
        """Stores that these calls begin; yields the claims that are still valid. Each has a new lease and, if its call
        must not begin, the reason.

        It yields right after the commit, before the connection is given back, so that the requests follow at once.
        """
        lease_until = self._lease_until()
        async with autocommit(self.engine) as connection:
            started = await connection.execute(START_CALLS, self._start_params(starting))
            rows = {row.key: row for row in fetched(CallStartRow, started)}
            yield {
                key: CallStart(replace(call.claim, lease_until=lease_until), rows[key].stop)
                for call in starting
                if (key := call.claim.key) in rows
            }

    async def write(self, results: Sequence[FinishedClaim]) -> set[ClaimKey]:
        """Writes results with the events to publish; returns the keys of the claims whose results were accepted. One
        statement writes both, so there is no result without its events."""
        async with autocommit(self.engine) as connection:
            return set(fetched(ClaimKey, await connection.execute(WRITE_RESULTS, self._write_params(results))))

    async def unpublished(self, older_than: timedelta, limit: int) -> list[tuple[ClaimKey, Event]]:
        """The oldest events that were stored at least `older_than` ago and are not marked as published."""
        params = {"lane": self.lane, "seconds": older_than.total_seconds(), "limit": limit}
        async with autocommit(self.engine) as connection:
            rows = fetched(EventRow, await connection.execute(UNPUBLISHED, params))
        return [(row.key, event_of(row)) for row in rows]

    async def is_only_delivery(self, delivery: Delivery, recipients: Collection[str], passed: timedelta) -> bool:
        """Whether the profile has no other delivery to these recipients that is not settled, or was settled within
        `passed` (wall time)."""
        params = {
            "delivery_id": delivery.delivery_id,
            "profile_id": delivery.profile_id,
            "recipients": sorted(recipients),
            "seconds": passed.total_seconds(),
        }
        async with autocommit(self.engine) as connection:
            return (await connection.execute(IS_ONLY_DELIVERY, params)).scalar_one()

    async def mark_published(self, keys: Sequence[ClaimKey]) -> None:
        async with autocommit(self.engine) as connection:
            await connection.execute(MARK_PUBLISHED, arrays(ClaimKey, keys))

    async def _insert(self, connection: AsyncConnection, deliveries: Sequence[Delivery]) -> set[str]:
        newest: dict[str, Delivery] = {}
        for delivery in deliveries:
            earlier = newest.get(delivery.delivery_id)
            if earlier is None or generation(delivery) > generation(earlier):
                newest[delivery.delivery_id] = delivery
        if not newest:
            return set()
        rows = [delivery_row(delivery, self.host_of, position) for position, delivery in enumerate(newest.values())]
        return set((await connection.execute(INSERT_DELIVERIES, self._new_rows(rows))).scalars())

    def _new_rows(self, rows: Sequence[NewDeliveryRow]) -> dict[str, object]:
        return {"lane": self.lane, "erasure_keys": self.erasures.keys, **arrays(NewDeliveryRow, rows)}

    async def _claim(self, connection: AsyncConnection, free: FreeSlots, others: NotToClaim) -> tuple[Claim, ...]:
        if free.total <= 0:
            return ()
        lease_until = self._lease_until()
        rows = fetched(ClaimRow, await connection.execute(CLAIM, self._claim_params(free, others)))
        return tuple(claim_of(row, lease_until) for row in rows)

    def _claim_params(self, free: FreeSlots, others: NotToClaim) -> dict[str, Any]:
        return {
            "lane": self.lane,
            "worker": self.worker,
            "lease": self.lease.total_seconds(),
            "own": sorted(others.own),
            "take_over": others.take_over,
            **slot_params(free),
        }

    def _start_params(self, starting: Sequence[StartingCall]) -> dict[str, Any]:
        begun = arrays(StartRow, map(start_row, starting))
        return {"worker": self.worker, "lease": self.lease.total_seconds(), **begun}

    def _write_params(self, results: Sequence[FinishedClaim]) -> dict[str, Any]:
        return {
            "worker": self.worker,
            "lane": self.lane,
            **arrays(ResultRow, map(result_row, results)),
            **arrays(NewEventRow, event_rows(results)),
        }

    def _lease_until(self) -> float:
        return time.monotonic() + self.lease.total_seconds()
