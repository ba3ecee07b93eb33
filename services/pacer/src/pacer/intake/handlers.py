"""Handlers: what the pacer does with each topic that it reads.

Delivery promise: the effect of a batch and its position are one transaction; a batch that comes again changes nothing.
What must be told of it is found by its state (see the announcer), so nothing is published here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pacer.config_cache import PacerConfigCache
from pacer.intake.consent_enforcer import Heeding
from pacer.intake.held_queue import Queue
from pacer.metrics import TAKEN
from spreader.contract.events import (
    ConsentChanged,
    CustomerMessage,
    DeliveryOutcome,
    MessageCancelled,
    OpenDeliveriesAssigned,
)
from spreader.kafka.guarded_consumer import Received
from spreader.kafka.offset_store import Deduplicator


@dataclass(frozen=True)
class Handlers:
    queue: Queue
    heeding: Heeding
    positions: Deduplicator
    directory: PacerConfigCache
    look: Callable[[], None]
    """Wakes the release loop."""
    tell: Callable[[], None]
    """Wakes the announcer."""
    heed: Callable[[], None]
    """Wakes the loop that looks through what is held."""

    async def on_assigned(self, batch: Sequence[Received[OpenDeliveriesAssigned]]) -> None:
        for each in batch:
            await self.directory.wait_for_version(each.event.package_id, each.event.package_version)
        packages = {each.event.package_id for each in batch}
        strict = await self.heeding.strict(packages)
        TAKEN.inc(await self.queue.take(self.positions, batch, strict))
        if self.heeding.held_unchecked(packages - strict):
            self.heed()
        self.look()
        self.tell()

    async def on_outcome(self, batch: Sequence[Received[DeliveryOutcome]]) -> None:
        if await self.queue.settle(self.positions, batch):
            self.look()
            self.tell()

    async def on_customer(self, batch: Sequence[Received[CustomerMessage]]) -> None:
        await self.queue.hear(self.positions, batch)
        self.look()

    async def on_consent(self, batch: Sequence[Received[ConsentChanged]]) -> None:
        await self.heeding.change(self.positions, batch)

    async def on_cancelled(self, batch: Sequence[Received[MessageCancelled]]) -> None:
        await self.queue.cancel(self.positions, batch)
        self.tell()
