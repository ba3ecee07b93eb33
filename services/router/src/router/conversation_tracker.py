"""Conversation tracker: the handlers that keep conversations up to date from customers' messages and our own sends."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from router.config_cache import RouterConfigCache
from router.core.conversations import fold, from_customer_message, from_outcome
from router.postgres import RoutingStore
from spreader.contract.events import CustomerMessage, DeliveryOutcome
from spreader.kafka.guarded_consumer import Received
from spreader.kafka.offset_store import Deduplicator


@dataclass(frozen=True)
class ConversationTracker:
    store: RoutingStore
    deduplicator: Deduplicator
    config: RouterConfigCache

    async def on_customer_message(self, batch: Sequence[Received[CustomerMessage]]) -> None:
        binds_for = self._binds_for({record.event.package_id for record in batch})
        await self.store.track(
            self.deduplicator,
            batch,
            lambda events: fold(from_customer_message(event) for event in events),
            binds_for,
        )

    async def on_outcome(self, batch: Sequence[Received[DeliveryOutcome]]) -> None:
        binds_for = self._binds_for({record.event.package_id for record in batch})
        await self.store.track(
            self.deduplicator,
            batch,
            lambda events: fold(conversation for event in events if (conversation := from_outcome(event)) is not None),
            binds_for,
        )

    def _binds_for(self, package_ids: set[str]) -> dict[str, timedelta]:
        """How long a conversation of each package binds after its last message. The conversations of a deleted package
        bind for ever."""
        packages = {package_id: self.config.package(package_id) for package_id in package_ids}
        return {
            package_id: timedelta.max if package is None else timedelta(days=package.conversation_days)
            for package_id, package in packages.items()
        }
