"""Receipt handler: marks deliveries that a gateway has reported in its webhooks, which settles those in doubt."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from sender.gateways.postgres import ReportedDelivery, mark_reported
from sender.metrics import REPORTED
from spreader.contract.events import DeliveryOutcome, Status
from spreader.kafka.guarded_consumer import Received
from spreader.kafka.offset_store import Deduplicator

PROVES_SEND: frozenset[Status] = frozenset({"sent", "acknowledged", "delivered", "read"})
"""Statuses that prove that the gateway has the message. The sender's own `sent` is among them; its row is settled by
then, so it changes nothing."""


@dataclass(frozen=True, slots=True)
class ReceiptHandler:
    engine: AsyncEngine
    deduplicator: Deduplicator

    async def on_outcomes(self, batch: Sequence[Received[DeliveryOutcome]]) -> None:
        async with self.engine.begin() as connection:
            unseen = await self.deduplicator.unseen(connection, batch)
            outcomes = [received.event for received in unseen if received.event.status in PROVES_SEND]
            message_ids = {outcome.delivery_id: outcome.gateway_message_id or "" for outcome in outcomes}
            if message_ids:
                reported = [ReportedDelivery(*item) for item in message_ids.items()]
                REPORTED.inc(await mark_reported(connection, reported))
