"""Handlers: events in, the status view out. Each is safe to repeat: the view only goes forward."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ingress.core import facts
from ingress.core.facts import Fact
from ingress.status.projection import Accepted, StatusView
from ingress.webhooks.receipts import Receipts
from spreader.contract.events import (
    DeliveryOutcome,
    DeliveryReleased,
    Event,
    OpenDeliveriesAssigned,
    OpenMessageRequested,
    ReplyDeliveryAssigned,
    ReplyMessageRequested,
)
from spreader.kafka.client import KafkaBus
from spreader.kafka.guarded_consumer import GuardedConsumer, Received

E = TypeVar("E", bound=Event)

RECORDS_MAX = {OpenDeliveriesAssigned.topic: 20}
"""Such a record holds up to 500 deliveries: 20 of them are as much work as a batch should be."""


@dataclass(frozen=True, slots=True)
class Folding:
    view: StatusView
    receipts: Receipts

    async def on_open_requested(self, batch: Sequence[Received[OpenMessageRequested]]) -> None:
        await self.view.fold_messages(_open(received.event) for received in batch)

    async def on_reply_requested(self, batch: Sequence[Received[ReplyMessageRequested]]) -> None:
        await self.view.fold_messages(_reply(received.event) for received in batch)

    def boundaries(self, bus: KafkaBus) -> list[GuardedConsumer[Any]]:
        """One for each topic: no lane waits for another."""
        return [
            GuardedConsumer("ingress", self.on_open_requested, (OpenMessageRequested,), bus),
            GuardedConsumer("ingress", self.on_reply_requested, (ReplyMessageRequested,), bus),
            self._deliveries(OpenDeliveriesAssigned, facts.of_open_assigned, bus),
            self._deliveries(ReplyDeliveryAssigned, facts.of_reply_assigned, bus),
            self._deliveries(DeliveryReleased, facts.of_released, bus),
            self._deliveries(DeliveryOutcome, facts.of_outcome, bus),
        ]

    def _deliveries(self, kind: type[E], tell: Callable[[E], list[Fact]], bus: KafkaBus) -> GuardedConsumer[E]:
        async def on_batch(batch: Sequence[Received[E]]) -> None:
            facts = [fact for received in batch for fact in tell(received.event)]
            await self.view.fold_deliveries(facts)
            await self.receipts.look({fact.delivery_id for fact in facts})

        return GuardedConsumer("ingress", on_batch, (kind,), bus)


def _open(event: OpenMessageRequested) -> Accepted:
    total = event.total or len(event.recipients)
    return Accepted(
        event.message_id, event.package_id, "open", event.content.type, total, event.requested_at,
        traceparent=event.traceparent,
    )  # fmt: skip


def _reply(event: ReplyMessageRequested) -> Accepted:
    return Accepted(
        event.message_id, event.package_id, "reply", event.content.type, 1, event.requested_at,
        traceparent=event.traceparent,
    )  # fmt: skip
