"""Cancellations: the messages that callers cancelled. No call of their open deliveries begins any more.

A cancellation may arrive before the release of its deliveries, so it is stored whatever the ledger contains.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from sender.ledger.sql import DELETE_CANCELLATIONS, INSERT_CANCELLATIONS
from spreader.contract.events import MessageCancelled
from spreader.kafka.guarded_consumer import Received
from spreader.kafka.offset_store import Deduplicator
from spreader.runtime.postgres import autocommit


@dataclass(frozen=True, slots=True)
class Cancellations:
    engine: AsyncEngine
    deduplicator: Deduplicator

    async def on_cancelled(self, batch: Sequence[Received[MessageCancelled]]) -> None:
        async with self.engine.begin() as connection:
            unseen = await self.deduplicator.unseen(connection, batch)
            message_ids = sorted({received.event.message_id for received in unseen})
            await connection.execute(INSERT_CANCELLATIONS, {"message_id": message_ids})

    async def delete_old(self, older_than: timedelta, limit: int) -> int:
        """Deletes up to `limit` cancellations that were stored at least `older_than` ago; returns how many it deleted.
        A cancellation that an unsettled delivery needs stays."""
        params = {"seconds": older_than.total_seconds(), "limit": limit}
        async with autocommit(self.engine) as connection:
            return (await connection.execute(DELETE_CANCELLATIONS, params)).rowcount
