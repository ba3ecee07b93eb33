"""Reassignment: the handler that finds a profile for deliveries that were not sent, lets them wait, or ends them."""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from router.config_cache import RouterConfigCache
from router.core.candidates import find_candidates
from router.core.conversations import ConversationKey
from router.core.retries import next_routes, share_waiting, without_package
from router.core.route import NoRoute, NoRouteNow, ReassignResult, Route
from router.core.routing import keeps_profiles
from router.core.substitutes import SubstituteTurns, substitute
from router.core.terminal_outcome import TerminalOutcome
from router.metrics import REFUSED, ROUTED
from router.pending_assignments import PendingAssignments
from router.postgres import RoutingStore
from spreader.clock import Clock
from spreader.contract.configuration import Package
from spreader.contract.events import (
    RECIPIENTS_PER_RECORD_MAX,
    AssignedDelivery,
    DeliveryReturned,
    Event,
    OpenDeliveriesAssigned,
    OpenDeliveriesWaiting,
    ReplyDeliveryAssigned,
    WaitingDelivery,
)
from spreader.kafka.bus import Bus
from spreader.kafka.guarded_consumer import Received

R = TypeVar("R", Route, NoRouteNow)

UNKNOWN_PACKAGE_SECONDS = 1.0
"""The router waits at most this long for the package of a reply that it does not know. Then it publishes the returned
reply again."""


@dataclass(frozen=True)
class Reassignment:
    """A repeated record may get another result. Readers keep the first event of an attempt and drop later events."""

    store: RoutingStore
    bus: Bus
    config: RouterConfigCache
    clock: Clock
    pending: PendingAssignments
    chance: random.Random = field(default_factory=random.Random)
    turns: SubstituteTurns = field(default_factory=SubstituteTurns)

    async def on_returned(self, batch: Sequence[Received[DeliveryReturned]]) -> None:
        by_package: dict[str, list[DeliveryReturned]] = defaultdict(list)
        waited: dict[str, list[DeliveryReturned]] = defaultdict(list)
        for record in batch:
            chosen = by_package if record.event.distribution is None else waited
            chosen[record.event.package_id].append(record.event)
        package_ids = {*by_package, *waited}
        await self.config.wait_for_versions((package_id, 1) for package_id in package_ids)  # a table may be behind
        of_open = {record.event.package_id for record in batch if record.event.lane == "open"}
        await self.config.wait_for_states([self.config.package(package_id) for package_id in of_open])
        await self.config.wait_until_known(package_ids - of_open, UNKNOWN_PACKAGE_SECONDS)
        events: list[Event] = []
        for package_id, returned in by_package.items():
            package = self.config.package(package_id)
            if package is None:
                events += self._events(returned, self._without_package(returned), None)
                continue
            routes = next_routes(returned, package, self.pending.snapshot(self.config), self.chance)
            if any(_is_reply(*pair) for pair in zip(returned, routes, strict=True)):
                routes = await self._with_substitutes(package, returned, routes)
            events += self._events(returned, routes, package)
        if waited:
            events += await self._share_waiting(waited)
        written = {record.event.delivery_id: record.written_at for record in batch}
        await self.bus.publish(*(_dated(event, written) for event in events))

    def _without_package(self, returned: Sequence[DeliveryReturned]) -> list[ReassignResult]:
        now = self.clock()
        return [without_package(each, self.config.is_removed(each.package_id), now) for each in returned]

    async def _with_substitutes(
        self, package: Package, returned: Sequence[DeliveryReturned], routes: Sequence[ReassignResult]
    ) -> list[ReassignResult]:
        """The routes, in which each reply goes to the substitute of its customer. New substitutes are stored."""
        pairs = list(zip(returned, routes, strict=True))
        keys = {(delivery.package_id, delivery.recipient) for delivery, route in pairs if _is_reply(delivery, route)}
        results: list[ReassignResult] = []
        async with self.store.begin() as connection:
            stored = await self.store.substitutions(connection, keys)
            substitutes = {key: row.substitute for key, row in stored.items()}
            chosen: dict[ConversationKey, str | None] = {}
            for delivery, route in pairs:
                if not isinstance(route, Route) or delivery.lane != "reply":
                    results.append(route)
                    continue
                key = delivery.package_id, delivery.recipient
                candidates = find_candidates(package, self.config.states, "reply", delivery.tried)
                profile_id = substitute(candidates, self.config.states, substitutes.get(key), self.turns)
                if profile_id != substitutes.get(key):
                    substitutes[key] = chosen[key] = profile_id
                results.append(Route(profile_id, route.reason))
            await self.store.save_substitutes(connection, chosen)
        return results

    async def _share_waiting(self, waited: Mapping[str, Sequence[DeliveryReturned]]) -> list[Event]:
        """The events of deliveries that waited without a profile. Also stores the new cursor of each package."""
        packages = {package_id: self.config.package(package_id) for package_id in waited}
        days = {package.package_id: package.conversation_days for package in packages.values() if package is not None}
        keys = {
            (package_id, delivery.recipient)
            for package_id in days
            for delivery in waited[package_id]
            if (package := packages[package_id]) is not None
            and keeps_profiles(package, delivery.distribution or package.distribution)
        }
        events: list[Event] = []
        async with self.store.begin() as connection:
            cursors = await self.store.lock_cursors(connection, list(waited))
            talks_to = await self.store.talks_to(connection, keys, days, self.clock())
            for package_id, returned in waited.items():
                package, snapshot = packages[package_id], self.pending.snapshot(self.config)
                if package is None:
                    events += self._events(returned, self._without_package(returned), None)
                    continue
                talk = talks_to.get(package_id, {})
                routes, cursors[package_id] = share_waiting(
                    returned, package, snapshot, cursors[package_id], self.chance, talk
                )
                events += self._events(returned, routes, package)
            await self.store.save_cursors(connection, cursors)
        return events

    def _events(
        self, returned: Sequence[DeliveryReturned], routes: Sequence[ReassignResult], package: Package | None
    ) -> list[Event]:
        events: list[Event] = []
        open_routes: list[tuple[DeliveryReturned, Route]] = []
        waiting: list[tuple[DeliveryReturned, NoRouteNow]] = []
        again: list[DeliveryReturned] = []
        for delivery, result in zip(returned, routes, strict=True):
            match result:
                case Route() if delivery.lane == "open":
                    open_routes.append((delivery, result))
                case Route(profile_id, reason):
                    ROUTED.labels("reply", "another profile").inc()
                    events.append(_reply_event(delivery, profile_id, reason))
                case NoRouteNow() if delivery.lane == "reply":
                    again.append(delivery)
                case NoRouteNow():
                    waiting.append((delivery, result))
                case NoRoute(reason):
                    REFUSED.labels(delivery.lane).inc()
                    events += TerminalOutcome.of_returned(delivery, reason).events(self.clock())
        for delivery, _ in open_routes:
            ROUTED.labels("open", delivery.distribution or "another profile").inc()
        assigned_at = self.pending.add((route.profile_id for _, route in open_routes), self.clock())
        version = None if package is None else package.version
        assigned = [_open_event(part, version) for part in _parts(open_routes)]
        return [
            *events,
            *again,
            *(event.model_copy(update={"assigned_at": assigned_at}) for event in assigned),
            *(_waiting_event(part, package) for part in _parts(waiting)),
        ]


def _dated(event: Event, written: Mapping[str, datetime | None]) -> Event:
    """The event with `written_at`: the time at which the first of its returned deliveries was written to Kafka."""
    if not isinstance(event, OpenDeliveriesAssigned | OpenDeliveriesWaiting):
        return event
    times = [at for delivery in event.deliveries if (at := written.get(delivery.delivery_id)) is not None]
    return event.model_copy(update={"written_at": min(times)}) if times else event


def _is_reply(delivery: DeliveryReturned, route: ReassignResult) -> bool:
    return delivery.lane == "reply" and isinstance(route, Route)


def _parts(routes: Sequence[tuple[DeliveryReturned, R]]) -> list[list[tuple[DeliveryReturned, R]]]:
    """The deliveries in groups, one group for each event. All deliveries of a group belong to one message, have tried
    the same profiles and have the same distribution. A group has at most `RECIPIENTS_PER_RECORD_MAX` deliveries."""
    alike: dict[tuple[object, ...], list[tuple[DeliveryReturned, R]]] = defaultdict(list)
    for delivery, route in routes:
        alike[delivery.message_id, delivery.tried, delivery.distribution].append((delivery, route))
    return [
        group[start : start + RECIPIENTS_PER_RECORD_MAX]
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
        strategy=first.distribution or "smart",
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


def _waiting_event(
    routes: Sequence[tuple[DeliveryReturned, NoRouteNow]], package: Package | None
) -> OpenDeliveriesWaiting:
    first, first_route = routes[0]
    return OpenDeliveriesWaiting(
        traceparent=first.traceparent,
        package_id=first.package_id,
        message_id=first.message_id,
        content=first.content,
        options=first.options,
        requested_at=first.requested_at,
        package_version=None if package is None else package.version,
        strategy=first.distribution or ("smart" if package is None else package.distribution),
        reason=first_route.reason,
        deliveries=tuple(
            WaitingDelivery(
                delivery_id=delivery.delivery_id,
                recipient=delivery.recipient,
                index=delivery.index,
                attempt=delivery.attempt + 1,
                tried=delivery.tried,
            )
            for delivery, _ in routes
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
