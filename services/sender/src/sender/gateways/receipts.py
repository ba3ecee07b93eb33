"""Receipt handler: marks deliveries that a gateway has reported in its webhooks, so that they are not sent again.

The next claim of a marked delivery settles it as sent (decision 0022).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from sender.gateways.postgres import ReportedDelivery, mark_reported
from sender.metrics import REPORTED
from spreader.contract.events import DeliveryOutcome, Status
from spreader.kafka.guarded_consumer import Received
from spreader.kafka.offset_store import Deduplicator

PROVES_SEND: frozenset[Status] = frozenset({"sent", "acknowledged", "delivered", "read"})
"""Statuses that prove that the gateway has the message. `sent` is here because an echo, which is a gateway's report on
a sent message, has this status too. The consumer passes over the `sent` outcomes that the sender has published."""


@dataclass(frozen=True, slots=True)
class ReceiptHandler:
    engine: AsyncEngine
    deduplicator: Deduplicator

    async def on_outcomes(self, batch: Sequence[Received[DeliveryOutcome]]) -> None:
        async with self.engine.begin() as connection:
            unseen = await self.deduplicator.unseen(connection, batch)
            outcomes = [received.event for received in unseen if received.event.status in PROVES_SEND]
            gateway_ids = {outcome.delivery_id: outcome.gateway_message_id or "" for outcome in outcomes}
            if gateway_ids:
                reported = [
                    ReportedDelivery(delivery_id, gateway_id) for delivery_id, gateway_id in gateway_ids.items()
                ]
                REPORTED.inc(await mark_reported(connection, reported))
