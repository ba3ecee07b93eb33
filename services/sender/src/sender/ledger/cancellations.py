"""Cancellations: the messages that callers cancelled. No call of their open deliveries begins any more.

A cancellation may arrive before the release of its deliveries, so it is stored whatever the ledger contains.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from sender.ledger.sql import INSERT_CANCELLATIONS
from spreader.contract.events import MessageCancelled
from spreader.kafka.guarded_consumer import Received
from spreader.kafka.offset_store import Deduplicator


@dataclass(frozen=True, slots=True)
class Cancellations:
    engine: AsyncEngine
    deduplicator: Deduplicator

    async def on_cancelled(self, batch: Sequence[Received[MessageCancelled]]) -> None:
        async with self.engine.begin() as connection:
            unseen = await self.deduplicator.unseen(connection, batch)
            message_ids = sorted({received.event.message_id for received in unseen})
            await connection.execute(INSERT_CANCELLATIONS, {"message_id": message_ids})
