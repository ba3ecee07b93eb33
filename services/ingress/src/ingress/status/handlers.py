"""Status handlers: fold events into the status projection, and match waiting receipts.

A repeated event changes nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ingress.consent.gateway_opt_outs import GatewayOptOuts
from ingress.core import delivery_updates
from ingress.core.delivery_updates import DeliveryUpdate
from ingress.status.accepted import accepted_open, accepted_reply
from ingress.status.projection import ROWS_MAX, StatusProjection
from ingress.webhooks.receipt_matcher import ReceiptMatcher
from spreader.contract.events import (
    DeliveryOutcome,
    DeliveryReleased,
    Event,
    OpenDeliveriesAssigned,
    OpenDeliveriesWaiting,
    OpenMessageRequested,
    ReplyDeliveryAssigned,
    ReplyMessageRequested,
)
from spreader.kafka.client import KafkaBus
from spreader.kafka.guarded_consumer import GuardedConsumer, Received

E = TypeVar("E", bound=Event)

RECORDS_MAX = {OpenDeliveriesAssigned.topic: 20}
"""The most records in a batch, for a topic for which the default is too high. One record of assigned deliveries has up
to 500 deliveries."""


@dataclass(frozen=True, slots=True)
class StatusHandlers:
    projection: StatusProjection
    receipts: ReceiptMatcher
    opt_outs: GatewayOptOuts | None = None
    """None: another process takes the opt-outs."""

    async def on_open_requested(self, batch: Sequence[Received[OpenMessageRequested]]) -> None:
        await self.projection.fold_messages(accepted_open(received.event) for received in batch)

    async def on_reply_requested(self, batch: Sequence[Received[ReplyMessageRequested]]) -> None:
        await self.projection.fold_messages(accepted_reply(received.event) for received in batch)

    def consumers(self, bus: KafkaBus) -> list[GuardedConsumer[Any]]:
        """One consumer for each topic, so that neither lane waits for the other."""
        return [
            GuardedConsumer("ingress", self.on_open_requested, (OpenMessageRequested,), bus),
            GuardedConsumer("ingress", self.on_reply_requested, (ReplyMessageRequested,), bus),
            self._open_assigned_consumer(bus),
            self._delivery_consumer(ReplyDeliveryAssigned, delivery_updates.from_reply_assigned, bus),
            self._delivery_consumer(DeliveryReleased, delivery_updates.from_released, bus),
            self._outcome_consumer(bus),
        ]

    def _open_assigned_consumer(self, bus: KafkaBus) -> GuardedConsumer[OpenDeliveriesAssigned | OpenDeliveriesWaiting]:
        async def on_batch(batch: Sequence[Received[OpenDeliveriesAssigned | OpenDeliveriesWaiting]]) -> None:
            updates = list[DeliveryUpdate]()
            for event in (received.event for received in batch):  # in steps, because a record has up to 500 deliveries
                if updates and len(updates) + len(event.deliveries) > ROWS_MAX:
                    await self._fold(updates)
                    updates = []
                updates += _open_updates(event)
            await self._fold(updates)

        return GuardedConsumer("ingress", on_batch, (OpenDeliveriesAssigned, OpenDeliveriesWaiting), bus)

    def _delivery_consumer(
        self, kind: type[E], updates_of: Callable[[E], list[DeliveryUpdate]], bus: KafkaBus
    ) -> GuardedConsumer[E]:
        async def on_batch(batch: Sequence[Received[E]]) -> None:
            await self._fold([update for received in batch for update in updates_of(received.event)])

        return GuardedConsumer("ingress", on_batch, (kind,), bus)

    def _outcome_consumer(self, bus: KafkaBus) -> GuardedConsumer[DeliveryOutcome]:
        async def on_batch(batch: Sequence[Received[DeliveryOutcome]]) -> None:
            await self._fold([update for received in batch for update in delivery_updates.from_outcome(received.event)])
            if self.opt_outs is not None:
                await self.opt_outs.take(received.event for received in batch)

        return GuardedConsumer("ingress", on_batch, (DeliveryOutcome,), bus)

    async def _fold(self, updates: Sequence[DeliveryUpdate]) -> None:
        await self.projection.fold_deliveries(updates)
        await self.receipts.match_deliveries({update.delivery_id for update in updates})


def _open_updates(event: OpenDeliveriesAssigned | OpenDeliveriesWaiting) -> list[DeliveryUpdate]:
    if isinstance(event, OpenDeliveriesWaiting):
        return delivery_updates.from_open_waiting(event)
    return delivery_updates.from_open_assigned(event)
