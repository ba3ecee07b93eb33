"""Listening: the handlers that learn from customers' messages and our own sends who talks to whom."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from router.config_cache import RouterConfigCache
from router.core.conversations import fold, heard, sent
from router.postgres import RoutingStore
from spreader.contract.events import CustomerMessage, DeliveryOutcome
from spreader.kafka.guarded_consumer import Received
from spreader.kafka.offset_store import Deduplicator


@dataclass(frozen=True)
class ConversationTracker:
    store: RoutingStore
    positions: Deduplicator
    directory: RouterConfigCache

    async def on_customer_message(self, batch: Sequence[Received[CustomerMessage]]) -> None:
        binds = await self._binds({each.event.package_id for each in batch})
        await self.store.learn(self.positions, batch, lambda events: fold(heard(event) for event in events), binds)

    async def on_outcome(self, batch: Sequence[Received[DeliveryOutcome]]) -> None:
        binds = await self._binds({each.event.package_id for each in batch})
        await self.store.learn(
            self.positions,
            batch,
            lambda events: fold(fact for event in events if (fact := sent(event)) is not None),
            binds,
        )

    async def _binds(self, package_ids: set[str]) -> dict[str, timedelta]:
        """After how long without a word a conversation of each package is over; of one that is gone: never."""
        packages = {package_id: await self.directory.package_at(package_id, None) for package_id in package_ids}
        return {
            package_id: timedelta.max if package is None else timedelta(days=package.conversation_days)
            for package_id, package in packages.items()
        }
