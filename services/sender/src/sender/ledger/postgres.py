"""Delivery ledger: the deliveries that the sender has to send, their claims and results, and the unpublished events."""

import time
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sender.core.claim_result import SettledClaim
from sender.core.delivery import Delivery, generation
from sender.core.slot_pool import FreeSlots
from sender.ledger.claim import Claim, ClaimKey, FinishedClaim, StartingCall
from sender.ledger.delivery_rows import (
    ClaimRow,
    EventRow,
    HostOf,
    HostSlotsRow,
    NewDeliveryRow,
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
from spreader.contract.events import Event, Lane
from spreader.kafka.guarded_consumer import Received
from spreader.kafka.offset_store import Deduplicator
from spreader.runtime.rows import arrays, fetched, unnest


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
    their leases have ended. `take_over`: whether it may claim those that may be at the gateway for another worker,
    whose lease has ended."""

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
        async with self.engine.begin() as connection:
            return await self._claim(connection, free, others)

    async def due_work(self) -> DueWork:
        async with self.engine.connect() as connection:
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
        async with self.engine.begin() as connection:
            renewed = await connection.execute(RENEW, params)
        return replace(claim, lease_until=lease_until) if renewed.rowcount else None

    @asynccontextmanager
    async def start_calls(self, starting: Sequence[StartingCall]) -> AsyncGenerator[dict[ClaimKey, Claim]]:
        """Stores that these calls begin; yields the claims that are still valid, each with a new lease.

        It yields right after the commit, before the connection is given back, so that the requests follow at once.
        """
        lease_until = self._lease_until()
        rows = sorted(map(start_row, starting), key=lambda row: row.delivery_id)
        params = {"worker": self.worker, "lease": self.lease.total_seconds(), **arrays(StartRow, rows)}
        async with self.engine.connect() as connection:
            valid = set(fetched(ClaimKey, await connection.execute(START_CALLS, params)))
            await connection.commit()
            claims = [call.claim for call in starting if call.claim.key in valid]
            yield {claim.key: replace(claim, lease_until=lease_until) for claim in claims}

    async def write(self, results: Sequence[FinishedClaim]) -> set[ClaimKey]:
        """Writes results with the events to publish; returns the keys of the claims whose results were accepted."""
        async with self.engine.begin() as connection:
            params = {"worker": self.worker, **arrays(ResultRow, map(result_row, results))}
            valid = set(fetched(ClaimKey, await connection.execute(WRITE_RESULTS, params)))
            settled = [
                finished
                for finished in results
                if finished.claim.key in valid and isinstance(finished.result, SettledClaim)
            ]
            if settled:
                params = {"lane": self.lane, **arrays(EventRow, event_rows(settled))}
                await connection.execute(KEEP_EVENTS, params)
        return valid

    async def unpublished(self, older_than: timedelta, limit: int) -> list[tuple[ClaimKey, Event]]:
        """The oldest events that were stored at least `older_than` ago and are not marked as published."""
        params = {"lane": self.lane, "seconds": older_than.total_seconds(), "limit": limit}
        async with self.engine.connect() as connection:
            rows = fetched(EventRow, await connection.execute(UNPUBLISHED, params))
        return [(row.key, event_of(row)) for row in rows]

    async def mark_published(self, keys: Sequence[ClaimKey]) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(MARK_PUBLISHED, arrays(ClaimKey, keys))

    async def delete_settled(self, older_than: timedelta, limit: int) -> int:
        """Deletes up to `limit` deliveries that were settled at least `older_than` ago; returns how many it deleted."""
        params = {"lane": self.lane, "seconds": older_than.total_seconds(), "limit": limit}
        async with self.engine.begin() as connection:
            return (await connection.execute(DELETE_SETTLED, params)).rowcount

    async def _insert(self, connection: AsyncConnection, deliveries: Sequence[Delivery]) -> set[str]:
        newest: dict[str, Delivery] = {}
        for delivery in deliveries:
            earlier = newest.get(delivery.delivery_id)
            if earlier is None or generation(delivery) > generation(earlier):
                newest[delivery.delivery_id] = delivery
        if not newest:
            return set()
        rows = [delivery_row(delivery, self.host_of, position) for position, delivery in enumerate(newest.values())]
        result = await connection.execute(INSERT_DELIVERIES, {"lane": self.lane, **arrays(NewDeliveryRow, rows)})
        return set(result.scalars())

    async def _claim(self, connection: AsyncConnection, free: FreeSlots, others: NotToClaim) -> tuple[Claim, ...]:
        if free.total <= 0:
            return ()
        lease_until = self._lease_until()
        params = {
            "lane": self.lane,
            "worker": self.worker,
            "lease": self.lease.total_seconds(),
            "own": sorted(others.own),
            "take_over": others.take_over,
            **slot_params(free),
        }
        rows = fetched(ClaimRow, await connection.execute(CLAIM, params))
        return tuple(claim_of(row, lease_until) for row in rows)

    def _lease_until(self) -> float:
        return time.monotonic() + self.lease.total_seconds()


# Statements lock the rows that they change in the order of their ids. Without an order, two of them could each hold a
# row that the other waits for, and Postgres would end one with a deadlock.
IN_ORDER = """locked AS (
    SELECT delivery_id FROM sender.delivery
    WHERE delivery_id = ANY (CAST(:delivery_id AS text[])) ORDER BY delivery_id FOR UPDATE)"""

# A newer attempt or release reopens a delivery that was settled as certainly not sent. Any other repeat changes
# nothing. A reopened row keeps its sequence number, so it keeps its place among the recipient's replies.
INSERT_DELIVERIES = text(f"""
WITH {IN_ORDER}
INSERT INTO sender.delivery AS stored (
    delivery_id, lane, package_id, recipient, profile_id, host, attempt, release, asked, traceparent, state, due_at)
SELECT incoming.delivery_id, :lane, incoming.package_id, incoming.recipient, incoming.profile_id, incoming.host,
       incoming.attempt, incoming.release, incoming.body, incoming.traceparent, 'ready', statement_timestamp()
FROM {unnest(NewDeliveryRow, "incoming")}
LEFT JOIN locked USING (delivery_id)
ORDER BY incoming.position, locked.delivery_id
ON CONFLICT (delivery_id) DO UPDATE SET
    lane = excluded.lane, profile_id = excluded.profile_id, host = excluded.host, attempt = excluded.attempt,
    release = excluded.release, asked = excluded.asked, traceparent = excluded.traceparent, state = 'ready',
    due_at = excluded.due_at, status = NULL,
    tries = CASE WHEN stored.attempt = excluded.attempt THEN stored.tries ELSE 0 END
WHERE stored.state = 'settled' AND stored.status IN ('deferred', 'returned')
  AND (stored.attempt, stored.release) < (excluded.attempt, excluded.release)
RETURNING stored.delivery_id""")

# - statement_timestamp() is stable, so it can bound the index scan; clock_timestamp() cannot.
# - A reply waits until every earlier reply to its recipient is settled, even one that another worker has claimed.
# - Deliveries to a host without a free slot are skipped. A host with free slots gets at most as many deliveries.
# - A delivery whose claim ended before its call began was not sent: the claim is not in doubt and counts as no try.
# - Consents are read in the same statement, just before the call, to save a query for each delivery.
CLAIM = text(f"""
WITH candidates AS (
    SELECT candidate.delivery_id, candidate.state, candidate.host, candidate.due_at, candidate.sequence
    FROM sender.delivery AS candidate
    WHERE candidate.lane = :lane AND candidate.state <> 'settled' AND candidate.due_at <= statement_timestamp()
      AND candidate.host <> ALL(CAST(:full AS text[])) AND candidate.delivery_id <> ALL(CAST(:own AS text[]))
      AND (:take_over OR candidate.state <> 'sending' OR candidate.worker IS NULL)
      AND (candidate.lane = 'open' OR NOT EXISTS (
          SELECT FROM sender.delivery AS ahead
          WHERE ahead.lane = 'reply' AND ahead.state <> 'settled' AND ahead.package_id = candidate.package_id
            AND ahead.recipient = candidate.recipient AND ahead.sequence < candidate.sequence))
    ORDER BY candidate.due_at, candidate.sequence
    LIMIT :free
    FOR UPDATE SKIP LOCKED),
due AS (
    SELECT delivery_id, state
    FROM (SELECT *, row_number() OVER (PARTITION BY host ORDER BY due_at, sequence) AS place
          FROM candidates) AS counted
    LEFT JOIN {unnest(HostSlotsRow, "host_slots")} USING (host)
    WHERE place <= coalesce(host_slots.slots, :other))
UPDATE sender.delivery AS claimed
SET state = CASE WHEN due.state = 'sending' THEN 'sending' ELSE 'claimed' END, worker = :worker,
    claim = claimed.claim + 1, uncalled = claimed.claim + 1,
    tries = claimed.tries + CASE WHEN due.state = 'claimed' THEN 0 ELSE 1 END,
    due_at = clock_timestamp() + make_interval(secs => :lease)
FROM due WHERE claimed.delivery_id = due.delivery_id
RETURNING claimed.lane, claimed.asked, claimed.traceparent, claimed.claim, claimed.tries, claimed.host,
          claimed.resent, claimed.heard, due.state = 'sending' AS in_doubt,
          CASE WHEN claimed.lane = 'open' THEN ARRAY(
              SELECT kind FROM sender.consent
              WHERE consent.recipient = claimed.recipient AND consent.package_id IN (claimed.package_id, '*'))
          END AS consents""")

DUE_WORK = text("""
SELECT EXISTS (SELECT FROM sender.delivery
               WHERE lane = :lane AND state <> 'settled' AND due_at <= statement_timestamp()) AS due_now,
       (SELECT CAST(extract(epoch FROM min(due_at) - statement_timestamp()) AS float8) FROM sender.delivery
        WHERE lane = :lane AND state <> 'settled' AND due_at > statement_timestamp()) AS next_in_seconds""")

RENEW = text("""
UPDATE sender.delivery SET due_at = clock_timestamp() + make_interval(secs => :lease)
WHERE delivery_id = :delivery_id AND claim = :claim AND worker = :worker AND state IN ('claimed', 'sending')""")

START_CALLS = text(f"""
WITH {IN_ORDER}
UPDATE sender.delivery AS stored
SET state = 'sending', uncalled = 0, resent = stored.resent OR starting.resent,
    due_at = clock_timestamp() + make_interval(secs => :lease)
FROM {unnest(StartRow, "starting")} JOIN locked USING (delivery_id)
WHERE stored.delivery_id = starting.delivery_id AND stored.claim = starting.claim AND stored.worker = :worker
  AND stored.state IN ('claimed', 'sending')
RETURNING stored.delivery_id, stored.claim""")

# The second part of the condition accepts the late answer to the call of the claim before the newest one, if the newest
# claim has not begun a call. If that claim has settled the delivery as unknown, only `sent` still counts.
WRITE_RESULTS = text(f"""
WITH {IN_ORDER}
UPDATE sender.delivery AS stored
SET state = result.state, due_at = clock_timestamp() + make_interval(secs => result.wait), worker = NULL,
    status = result.status, gateway_message_id = result.gateway_message_id,
    resent = stored.resent AND NOT result.last_try_not_sent,
    asked = CASE WHEN result.state = 'settled' THEN NULL ELSE stored.asked END
FROM {unnest(ResultRow, "result")} JOIN locked USING (delivery_id)
WHERE stored.delivery_id = result.delivery_id AND (
    (stored.claim = result.claim AND stored.worker = :worker AND stored.state IN ('claimed', 'sending'))
    OR (result.definite AND stored.claim = result.claim + 1 AND stored.uncalled = stored.claim
        AND (stored.state IN ('claimed', 'sending') OR (stored.status = 'unknown' AND result.status = 'sent'))))
RETURNING stored.delivery_id, result.claim""")

KEEP_EVENTS = text(f"""
INSERT INTO sender.unpublished (delivery_id, claim, type, lane, body, traceparent)
SELECT event.delivery_id, event.claim, event.type, :lane, event.body, event.traceparent
FROM {unnest(EventRow, "event")}""")

UNPUBLISHED = text("""
SELECT delivery_id, type, body, traceparent, claim FROM sender.unpublished
WHERE lane = :lane AND settled_at <= statement_timestamp() - make_interval(secs => :seconds)
ORDER BY settled_at LIMIT :limit""")

MARK_PUBLISHED = text(f"""
DELETE FROM sender.unpublished
USING (SELECT unpublished.delivery_id, unpublished.claim
       FROM sender.unpublished JOIN {unnest(ClaimKey, "published")} USING (delivery_id, claim)
       ORDER BY unpublished.delivery_id, unpublished.claim FOR UPDATE OF unpublished) AS published
WHERE unpublished.delivery_id = published.delivery_id AND unpublished.claim = published.claim""")

DELETE_SETTLED = text("""
DELETE FROM sender.delivery WHERE delivery_id IN (
    SELECT delivery_id FROM sender.delivery
    WHERE state = 'settled' AND lane = :lane AND due_at < statement_timestamp() - make_interval(secs => :seconds)
    ORDER BY due_at LIMIT :limit)""")
