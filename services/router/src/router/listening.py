"""Listening: the handlers that learn from customers' messages and our own sends who talks to whom."""

from collections.abc import Sequence
from dataclasses import dataclass

from router.core.conversations import fold, heard, sent
from router.postgres import Store
from spreader.boundary import Received
from spreader.events import CustomerMessage, DeliveryOutcome
from spreader.positions import Seen


@dataclass(frozen=True)
class Listening:
    store: Store
    positions: Seen

    async def on_customer_message(self, batch: Sequence[Received[CustomerMessage]]) -> None:
        await self.store.learn(self.positions, batch, lambda events: fold(heard(event) for event in events))

    async def on_outcome(self, batch: Sequence[Received[DeliveryOutcome]]) -> None:
        await self.store.learn(
            self.positions, batch, lambda events: fold(fact for event in events if (fact := sent(event)) is not None)
        )
