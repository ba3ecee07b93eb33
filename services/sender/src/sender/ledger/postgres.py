"""Ledger: what the sender was asked to send, who has claimed it, how it ended, and what is still to be published."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sender.core.claim_result import Settled
from sender.core.concurrency import Room
from sender.core.delivery import Delivery, generation
from sender.ledger.claim import Claim, Key
from sender.ledger.row_mapping import (
    HostOf,
    Result,
    asked_columns,
    claim_of,
    event_columns,
    nowhere,
    result_columns,
    room_columns,
    told_of,
)
from spreader.contract.events import Event, Lane
from spreader.kafka.guarded_consumer import Received
from spreader.kafka.offset_store import Deduplicator


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What became of a batch: the claims made with it (older deliveries may come first), and the new ones left over."""

    claims: tuple[Claim, ...]
    waiting: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """Whether anything is due (it waits for a slot, or for the reply before it), and when the next falls due."""

    due: bool
    next_in_seconds: float | None


@dataclass(frozen=True, slots=True)
class Ledger:
    """One lane's side of the ledger, in the name of one worker."""

    engine: AsyncEngine
    positions: Deduplicator
    lane: Lane
    worker: str
    lease: timedelta
    host_of: HostOf = nowhere

    async def take_in(self, batch: Sequence[Received[Delivery]], room: Room) -> TakenIn:
        """Keep what is new and claim what is due, as far as there is room, in one commit."""
        async with self.engine.begin() as connection:
            fresh = await self.positions.unseen(connection, batch)
            new = await self._insert(connection, [received.event for received in fresh])
            claims = await self._claim(connection, room)
        return TakenIn(claims, len(new - {claim.delivery.delivery_id for claim in claims}))

    async def claim(self, room: Room) -> tuple[Claim, ...]:
        async with self.engine.begin() as connection:
            return await self._claim(connection, room)

    async def backlog(self) -> Backlog:
        async with self.engine.connect() as connection:
            row = (await connection.execute(text(BACKLOG), {"lane": self.lane})).one()
            return Backlog(row.due, row.next_in)

    async def renew(self, claim: Claim, resent: bool = False) -> Claim | None:
        """The claim with a new lease; None when somebody else has it by now. `resent`: it is sent in doubt now."""
        lease_until = self._lease_until()
        async with self.engine.begin() as connection:
            renewed = await connection.execute(
                text(RENEW),
                {
                    "delivery_id": claim.delivery.delivery_id,
                    "claim": claim.number,
                    "worker": self.worker,
                    "lease": self.lease.total_seconds(),
                    "resent": resent,
                },
            )
        return replace(claim, lease_until=lease_until) if renewed.rowcount else None

    async def write(self, results: Sequence[Result]) -> set[Key]:
        """Write results, each with its events to publish; answers those whose claim still held."""
        async with self.engine.begin() as connection:
            rows = await connection.execute(text(WRITE), {"worker": self.worker, **result_columns(results)})
            written = {(row.delivery_id, row.claim) for row in rows}
            told = [each for each in results if each.claim.key in written and isinstance(each.fate, Settled)]
            if told:
                await connection.execute(text(KEEP_EVENTS), {"lane": self.lane, **event_columns(told)})
        return written

    async def unpublished(self, older_than: timedelta, limit: int) -> list[tuple[Key, Event]]:
        async with self.engine.connect() as connection:
            rows = await connection.execute(
                text(UNPUBLISHED), {"lane": self.lane, "seconds": older_than.total_seconds(), "limit": limit}
            )
            return [((row.delivery_id, row.claim), told_of(row)) for row in rows]

    async def mark_published(self, keys: Sequence[Key]) -> None:
        async with self.engine.begin() as connection:
            places = {"delivery_ids": [each for each, _ in keys], "claims": [claim for _, claim in keys]}
            await connection.execute(text(MARK_PUBLISHED), places)

    async def delete_settled(self, older_than: timedelta, limit: int) -> int:
        """Delete at most `limit` deliveries that were settled longer ago than `older_than`; returns how many."""
        async with self.engine.begin() as connection:
            deleted = await connection.execute(
                text(DELETE_SETTLED), {"lane": self.lane, "seconds": older_than.total_seconds(), "limit": limit}
            )
            return deleted.rowcount

    async def _insert(self, connection: AsyncConnection, asked: Sequence[Delivery]) -> set[str]:
        newest: dict[str, Delivery] = {}
        for delivery in asked:
            known = newest.get(delivery.delivery_id)
            if known is None or generation(delivery) > generation(known):
                newest[delivery.delivery_id] = delivery
        if not newest:
            return set()
        rows = await connection.execute(
            text(TAKE_IN), {"lane": self.lane, **asked_columns(list(newest.values()), self.host_of)}
        )
        return {row.delivery_id for row in rows}

    async def _claim(self, connection: AsyncConnection, room: Room) -> tuple[Claim, ...]:
        if room.free <= 0:
            return ()
        lease_until = self._lease_until()
        rows = await connection.execute(
            text(CLAIM),
            {"lane": self.lane, "worker": self.worker, "lease": self.lease.total_seconds(), **room_columns(room)},
        )
        return tuple(claim_of(row, lease_until) for row in rows)

    def _lease_until(self) -> float:
        return time.monotonic() + self.lease.total_seconds()


# A delivery that was settled as surely not sent is asked for again by a newer attempt or release; every other repeat
# does nothing. It keeps its place among the recipient's replies.
TAKE_IN = """
INSERT INTO sender.delivery AS known (
    delivery_id, lane, package_id, recipient, profile_id, host, attempt, release, asked, traceparent, state, due_at)
SELECT asked.delivery_id, :lane, asked.package_id, asked.recipient, asked.profile_id, asked.host, asked.attempt,
       asked.release, asked.body, asked.traceparent, 'ready', statement_timestamp()
FROM unnest(CAST(:delivery_ids AS text[]), CAST(:package_ids AS text[]), CAST(:recipients AS text[]),
            CAST(:profile_ids AS text[]), CAST(:hosts AS text[]), CAST(:attempts AS int[]),
            CAST(:releases AS bigint[]), CAST(:bodies AS text[]), CAST(:traceparents AS text[])) WITH ORDINALITY
     AS asked (delivery_id, package_id, recipient, profile_id, host, attempt, release, body, traceparent, place)
ORDER BY asked.place
ON CONFLICT (delivery_id) DO UPDATE SET
    lane = excluded.lane, profile_id = excluded.profile_id, host = excluded.host, attempt = excluded.attempt,
    release = excluded.release, asked = excluded.asked, traceparent = excluded.traceparent, state = 'ready',
    due_at = excluded.due_at, status = NULL,
    tries = CASE WHEN known.attempt = excluded.attempt THEN known.tries ELSE 0 END
WHERE known.state = 'settled' AND known.status IN ('deferred', 'returned')
  AND (known.attempt, known.release) < (excluded.attempt, excluded.release)
RETURNING known.delivery_id"""

# statement_timestamp() and not clock_timestamp(): a stable value can be a bound of the index scan.
# The lists of consent are read with the claim, a moment before the call: no look of its own for each delivery.
# A reply waits until every earlier one to its recipient is settled; whoever holds that one.
# A host that may take no more is passed over; of one that may take some, what is beyond that stays for the next claim.
CLAIM = """
WITH found AS (
    SELECT candidate.delivery_id, candidate.state, candidate.host, candidate.due_at, candidate.sequence
    FROM sender.delivery AS candidate
    WHERE candidate.lane = :lane AND candidate.state <> 'settled' AND candidate.due_at <= statement_timestamp()
      AND candidate.host <> ALL(CAST(:full AS text[]))
      AND (candidate.lane = 'open' OR NOT EXISTS (
          SELECT FROM sender.delivery AS ahead
          WHERE ahead.lane = 'reply' AND ahead.state <> 'settled' AND ahead.package_id = candidate.package_id
            AND ahead.recipient = candidate.recipient AND ahead.sequence < candidate.sequence))
    ORDER BY candidate.due_at, candidate.sequence
    LIMIT :free
    FOR UPDATE SKIP LOCKED),
due AS (
    SELECT delivery_id, state
    FROM (SELECT *, row_number() OVER (PARTITION BY host ORDER BY due_at, sequence) AS place FROM found) AS counted
    LEFT JOIN unnest(CAST(:hosts AS text[]), CAST(:rooms AS int[])) AS known (host, room) USING (host)
    WHERE place <= coalesce(known.room, :other))
UPDATE sender.delivery AS claimed
SET state = 'sending', worker = :worker, claim = claimed.claim + 1, tries = claimed.tries + 1,
    due_at = clock_timestamp() + make_interval(secs => :lease)
FROM due WHERE claimed.delivery_id = due.delivery_id
RETURNING claimed.lane, claimed.asked, claimed.traceparent, claimed.claim, claimed.tries, claimed.host,
          claimed.resent, claimed.heard, due.state = 'sending' AS in_doubt,
          CASE WHEN claimed.lane = 'open' THEN ARRAY(
              SELECT kind FROM sender.consent
              WHERE consent.recipient = claimed.recipient AND consent.package_id IN (claimed.package_id, '*'))
          END AS listed"""

BACKLOG = """
SELECT EXISTS (SELECT FROM sender.delivery
               WHERE lane = :lane AND state <> 'settled' AND due_at <= statement_timestamp()) AS due,
       (SELECT CAST(extract(epoch FROM min(due_at) - statement_timestamp()) AS float8) FROM sender.delivery
        WHERE lane = :lane AND state <> 'settled' AND due_at > statement_timestamp()) AS next_in"""

RENEW = """
UPDATE sender.delivery
SET due_at = clock_timestamp() + make_interval(secs => :lease), resent = resent OR :resent
WHERE delivery_id = :delivery_id AND claim = :claim AND worker = :worker AND state = 'sending'"""

WRITE = """
UPDATE sender.delivery AS held
SET state = result.state, due_at = clock_timestamp() + make_interval(secs => result.wait), worker = NULL,
    status = result.status, gateway_message_id = result.gateway_message_id,
    resent = held.resent AND NOT result.not_this_time,
    asked = CASE WHEN result.state = 'settled' THEN NULL ELSE held.asked END
FROM unnest(CAST(:delivery_ids AS text[]), CAST(:claims AS int[]), CAST(:states AS text[]), CAST(:waits AS float8[]),
            CAST(:statuses AS text[]), CAST(:gateway_message_ids AS text[]), CAST(:not_this_time AS boolean[]))
     AS result (delivery_id, claim, state, wait, status, gateway_message_id, not_this_time)
WHERE held.delivery_id = result.delivery_id AND held.claim = result.claim AND held.worker = :worker
  AND held.state = 'sending'
RETURNING held.delivery_id, held.claim"""

KEEP_EVENTS = """
INSERT INTO sender.unpublished (delivery_id, claim, type, lane, body, traceparent)
SELECT told.delivery_id, told.claim, told.type, :lane, told.body, told.traceparent
FROM unnest(CAST(:delivery_ids AS text[]), CAST(:claims AS int[]), CAST(:types AS text[]), CAST(:bodies AS text[]),
            CAST(:traceparents AS text[]))
     AS told (delivery_id, claim, type, body, traceparent)"""

UNPUBLISHED = """
SELECT delivery_id, claim, type, body, traceparent FROM sender.unpublished
WHERE lane = :lane AND settled_at <= statement_timestamp() - make_interval(secs => :seconds)
ORDER BY settled_at LIMIT :limit"""

MARK_PUBLISHED = """
DELETE FROM sender.unpublished AS told
USING unnest(CAST(:delivery_ids AS text[]), CAST(:claims AS int[])) AS published (delivery_id, claim)
WHERE told.delivery_id = published.delivery_id AND told.claim = published.claim"""

DELETE_SETTLED = """
DELETE FROM sender.delivery WHERE delivery_id IN (
    SELECT delivery_id FROM sender.delivery
    WHERE state = 'settled' AND lane = :lane AND due_at < statement_timestamp() - make_interval(secs => :seconds)
    ORDER BY due_at LIMIT :limit)"""
