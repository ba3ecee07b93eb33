"""Handlers: what the pacer does with the records of each topic.

Delivery promise: one transaction writes the effects of a batch and its offsets. So a batch that is read again changes
nothing. Handlers publish nothing. They store a delivery's new state and mark it as unpublished, and the outbox relay
publishes it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pacer.config_cache import PacerConfigCache
from pacer.core.outbound_events import refused_events
from pacer.core.waiting_queue import HeldEvent
from pacer.intake.consent_enforcer import ConsentEnforcer
from pacer.intake.held_queue import HeldQueue
from pacer.metrics import TAKEN
from spreader.contract.events import (
    ConsentChanged,
    CustomerMessage,
    DeliveryOutcome,
    MessageCancelled,
)
from spreader.kafka.guarded_consumer import Received
from spreader.kafka.offset_store import Deduplicator


@dataclass(frozen=True, slots=True)
class Wakes:
    """Wakes the loops for which a batch brings work."""

    release: Callable[[], None]
    relay: Callable[[], None]
    enforcer: Callable[[], None]
    stopper: Callable[[], None]


@dataclass(frozen=True)
class Handlers:
    queue: HeldQueue
    consent_enforcer: ConsentEnforcer
    deduplicator: Deduplicator
    config: PacerConfigCache
    wakes: Wakes

    async def on_assigned(self, batch: Sequence[Received[HeldEvent]]) -> None:
        await self.config.wait_for_versions((record.event.package_id, record.event.package_version) for record in batch)
        package_ids = {record.event.package_id for record in batch}
        opted_in_only = await self.consent_enforcer.enforceable(package_ids)
        TAKEN.inc(await self.queue.hold(self.deduplicator, batch, opted_in_only))
        if self.consent_enforcer.add_unchecked(package_ids - opted_in_only):
            self.wakes.enforcer()
        self.wakes.release()
        self.wakes.relay()

    def ends_of_refused(self, event: HeldEvent, reason: str) -> Sequence[DeliveryOutcome]:
        """The outcomes that end the deliveries of an assignment which Postgres does not take."""
        return refused_events(event, reason, self.queue.clock())

    async def on_outcome(self, batch: Sequence[Received[DeliveryOutcome]]) -> None:
        if await self.queue.settle(self.deduplicator, batch):
            self.wakes.release()
            self.wakes.relay()

    async def on_customer(self, batch: Sequence[Received[CustomerMessage]]) -> None:
        await self.queue.record_messages(self.deduplicator, batch)
        self.wakes.release()

    async def on_consent(self, batch: Sequence[Received[ConsentChanged]]) -> None:
        await self.consent_enforcer.apply(self.deduplicator, batch)
        self.wakes.stopper()

    async def on_cancelled(self, batch: Sequence[Received[MessageCancelled]]) -> None:
        await self.queue.cancel(self.deduplicator, batch)
        self.wakes.stopper()
