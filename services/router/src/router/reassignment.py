"""Reassignment: the handler that finds another profile for deliveries that were certainly not sent, or ends them."""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from router.config_cache import RouterConfigCache
from router.core.retries import next_routes
from router.core.route import NoRoute, Route, RouteResult
from router.core.terminal_outcome import TerminalOutcome
from router.metrics import REFUSED, ROUTED
from router.pending_assignments import PendingAssignments
from spreader.clock import Clock
from spreader.contract.events import (
    RECIPIENTS_PER_RECORD_MAX,
    AssignedDelivery,
    DeliveryReturned,
    Event,
    OpenDeliveriesAssigned,
    ReplyDeliveryAssigned,
)
from spreader.kafka.bus import Bus
from spreader.kafka.guarded_consumer import Received


@dataclass(frozen=True)
class Reassignment:
    """A repeated record may get another result. Readers keep the first event of an attempt and drop later events."""

    bus: Bus
    config: RouterConfigCache
    clock: Clock
    pending: PendingAssignments
    chance: random.Random = field(default_factory=random.Random)

    async def on_returned(self, batch: Sequence[Received[DeliveryReturned]]) -> None:
        by_package: dict[str, list[DeliveryReturned]] = defaultdict(list)
        for record in batch:
            by_package[record.event.package_id].append(record.event)
        await self.config.wait_for_versions((package_id, 1) for package_id in by_package)  # a table may be behind
        events: list[Event] = []
        for package_id, returned in by_package.items():
            package = self.config.package(package_id)
            routes = next_routes(returned, package, self.pending.snapshot(self.config), self.chance)
            events += self._events(returned, routes, None if package is None else package.version)
        await self.bus.publish(*events)

    def _events(
        self, returned: Sequence[DeliveryReturned], routes: Sequence[RouteResult], version: int | None
    ) -> list[Event]:
        events: list[Event] = []
        open_routes: list[tuple[DeliveryReturned, Route]] = []
        for delivery, result in zip(returned, routes, strict=True):
            match result:
                case Route() if delivery.lane == "open":
                    open_routes.append((delivery, result))
                case Route(profile_id, reason):
                    ROUTED.labels("reply", "another profile").inc()
                    events.append(_reply_event(delivery, profile_id, reason))
                case NoRoute(reason):
                    REFUSED.labels(delivery.lane).inc()
                    events += TerminalOutcome.of_returned(delivery, reason).events(self.clock())
        ROUTED.labels("open", "another profile").inc(len(open_routes))
        assigned_at = self.pending.add((route.profile_id for _, route in open_routes), self.clock())
        assigned = _open_events(open_routes, version)
        return [*events, *(event.model_copy(update={"assigned_at": assigned_at}) for event in assigned)]


def _open_events(routes: Sequence[tuple[DeliveryReturned, Route]], version: int | None) -> list[OpenDeliveriesAssigned]:
    """One event for the deliveries of a message with the same tried profiles, up to the size of a record."""
    alike: dict[tuple[str, tuple[str, ...]], list[tuple[DeliveryReturned, Route]]] = defaultdict(list)
    for delivery, route in routes:
        alike[delivery.message_id, delivery.tried].append((delivery, route))
    return [
        _open_event(group[start : start + RECIPIENTS_PER_RECORD_MAX], version)
        for group in alike.values()
        for start in range(0, len(group), RECIPIENTS_PER_RECORD_MAX)
    ]


def _open_event(routes: Sequence[tuple[DeliveryReturned, Route]], version: int | None) -> OpenDeliveriesAssigned:
    first, first_route = routes[0]
    return OpenDeliveriesAssigned(
        traceparent=first.traceparent,
        package_id=first.package_id,
        message_id=first.message_id,
        content=first.content,
        options=first.options,
        requested_at=first.requested_at,
        package_version=version,
        strategy="smart",
        passed_over=dict.fromkeys(first.tried, first_route.reason),
        deliveries=tuple(
            AssignedDelivery(
                delivery_id=delivery.delivery_id,
                recipient=delivery.recipient,
                profile_id=route.profile_id,
                index=delivery.index,
                attempt=delivery.attempt + 1,
                tried=delivery.tried,
            )
            for delivery, route in routes
        ),
    )


def _reply_event(returned: DeliveryReturned, profile_id: str, reason: str) -> ReplyDeliveryAssigned:
    return ReplyDeliveryAssigned(
        traceparent=returned.traceparent,
        package_id=returned.package_id,
        message_id=returned.message_id,
        delivery_id=returned.delivery_id,
        recipient=returned.recipient,
        profile_id=profile_id,
        content=returned.content,
        reason=reason,
        attempt=returned.attempt + 1,
        tried=returned.tried,
        requested_at=returned.requested_at,
        expires_at=returned.expires_at or returned.requested_at,
        quote=returned.quote,
        callback_partition=returned.callback_partition,
    )
