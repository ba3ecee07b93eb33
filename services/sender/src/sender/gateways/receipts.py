"""Receipt: a gateway's own report that it has a delivery, heard through ingress: that settles a doubt."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from sender.gateways.postgres import mark_heard
from sender.metrics import HEARD
from spreader.contract.events import DeliveryOutcome, Status
from spreader.kafka.guarded_consumer import Received
from spreader.kafka.offset_store import Deduplicator

TELLING: frozenset[Status] = frozenset({"sent", "acknowledged", "delivered", "read"})
"""What says that the customer's phone, or WhatsApp's server, or at least the gateway has it. Our own `sent` is among
them: its row is settled by then, so it changes nothing."""


@dataclass(frozen=True, slots=True)
class Receipts:
    engine: AsyncEngine
    positions: Deduplicator

    async def on_outcomes(self, batch: Sequence[Received[DeliveryOutcome]]) -> None:
        async with self.engine.begin() as connection:
            fresh = await self.positions.unseen(connection, batch)
            told = [each.event for each in fresh if each.event.status in TELLING]
            heard = {each.delivery_id: each.gateway_message_id or "" for each in told}
            if heard:
                HEARD.inc(await mark_heard(connection, heard))
