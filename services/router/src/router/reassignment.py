"""Returned delivery: the handler that finds another profile for what was surely not sent, or ends it."""

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
    """A repeated record may get another answer than before; readers keep the first of an attempt and drop the rest."""

    bus: Bus
    directory: RouterConfigCache
    clock: Clock
    assigned: PendingAssignments
    chance: random.Random = field(default_factory=random.Random)

    async def on_returned(self, batch: Sequence[Received[DeliveryReturned]]) -> None:
        by_package: dict[str, list[DeliveryReturned]] = defaultdict(list)
        for each in batch:
            by_package[each.event.package_id].append(each.event)
        events: list[Event] = []
        for package_id, returned in by_package.items():
            package = await self.directory.package_at(package_id, None)
            fleet = self.assigned.snapshot(self.directory)
            ways = next_routes(returned, package, fleet, self.chance)
            events += self._events(returned, ways, None if package is None else package.version)
        await self.bus.publish(*events)

    def _events(
        self, returned: Sequence[DeliveryReturned], ways: Sequence[RouteResult], version: int | None
    ) -> list[Event]:
        events: list[Event] = []
        again: list[tuple[DeliveryReturned, Route]] = []
        for each, way in zip(returned, ways, strict=True):
            match way:
                case Route() if each.lane == "open":
                    again.append((each, way))
                case Route(profile_id, reason):
                    ROUTED.labels("reply", "another profile").inc()
                    events.append(_reply_again(each, profile_id, reason))
                case NoRoute(reason):
                    REFUSED.labels(each.lane).inc()
                    events += TerminalOutcome.of_returned(each, reason).events(self.clock())
        ROUTED.labels("open", "another profile").inc(len(again))
        at = self.assigned.note((way.profile_id for _, way in again), self.clock())
        return [*events, *(each.model_copy(update={"assigned_at": at}) for each in _open_again(again, version))]


def _open_again(again: Sequence[tuple[DeliveryReturned, Route]], version: int | None) -> list[OpenDeliveriesAssigned]:
    """One event for those of a message that come from the same profiles, as for those of a request record."""
    alike: dict[tuple[str, tuple[str, ...]], list[tuple[DeliveryReturned, Route]]] = defaultdict(list)
    for each, way in again:
        alike[each.message_id, each.tried].append((each, way))
    return [
        _assigned(some[start : start + RECIPIENTS_PER_RECORD_MAX], version)
        for some in alike.values()
        for start in range(0, len(some), RECIPIENTS_PER_RECORD_MAX)
    ]


def _assigned(again: Sequence[tuple[DeliveryReturned, Route]], version: int | None) -> OpenDeliveriesAssigned:
    first, way = again[0]
    return OpenDeliveriesAssigned(
        traceparent=first.traceparent,
        package_id=first.package_id,
        message_id=first.message_id,
        content=first.content,
        options=first.options,
        requested_at=first.requested_at,
        package_version=version,
        strategy="smart",
        passed_over=dict.fromkeys(first.tried, way.reason),
        deliveries=tuple(
            AssignedDelivery(
                delivery_id=each.delivery_id,
                recipient=each.recipient,
                profile_id=way.profile_id,
                index=each.index,
                attempt=each.attempt + 1,
                tried=each.tried,
            )
            for each, way in again
        ),
    )


def _reply_again(returned: DeliveryReturned, profile_id: str, reason: str) -> ReplyDeliveryAssigned:
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
