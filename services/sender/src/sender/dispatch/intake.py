"""Intake: what arrives from Kafka goes into the ledger, and as much of it as there are slots for goes out at once."""

from collections.abc import Sequence
from dataclasses import dataclass

from sender.core.delivery import Delivery
from sender.dispatch.dispatcher import Lane
from sender.ledger.postgres import Ledger
from spreader.kafka.guarded_consumer import Received


@dataclass(frozen=True, slots=True)
class Intake:
    ledger: Ledger
    lane: Lane

    async def on_asked(self, batch: Sequence[Received[Delivery]]) -> None:
        """The offset is committed when this returns; the sends go on."""
        async with self.lane.slots() as room:
            taken = await self.ledger.take_in(batch, room)
            self.lane.begin(taken.claims)
        if taken.waiting:
            self.lane.more_waits()
