"""Reassignment: the handler that finds a profile for deliveries that were not sent, lets them wait, or ends them."""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from router.config_cache import RouterConfigCache
from router.core.candidates import find_candidates
from router.core.conversations import ConversationKey
from router.core.reassigned_events import dated, open_event, parts, reply_event, waiting_event
from router.core.refusal import reason_of_refusal
from router.core.retries import next_routes, share_waiting, without_package
from router.core.route import NoRoute, NoRouteNow, ReassignResult, Route
from router.core.routing import keeps_profiles
from router.core.substitutes import SubstituteTurns, substitute
from router.core.terminal_outcome import TerminalOutcome
from router.metrics import REFUSED, ROUTED
from router.pending_assignments import PendingAssignments
from router.postgres import RoutingStore
from router.sql_reassignments import ReturnKey
from spreader.clock import Clock
from spreader.contract.configuration import Package
from spreader.contract.events import (
    DeliveryReturned,
    Event,
    OpenDeliveriesAssigned,
    OpenDeliveriesWaiting,
    ReplyDeliveryAssigned,
)
from spreader.kafka.bus import Bus, RecordsRefused
from spreader.kafka.guarded_consumer import Received

UNKNOWN_PACKAGE_SECONDS = 1.0
"""If the router does not know the package of a returned reply, it waits at most this long for the package. After that,
it publishes the returned reply again."""


@dataclass(frozen=True, slots=True)
class Decided:
    """The decisions on the returned deliveries of one package. `package`: None if it is not known."""

    package: Package | None
    returned: Sequence[DeliveryReturned]
    results: Sequence[ReassignResult]

    @property
    def pairs(self) -> list[tuple[DeliveryReturned, ReassignResult]]:
        return list(zip(self.returned, self.results, strict=True))


@dataclass(frozen=True)
class Reassignment:
    """Delivery promise: decide once, then publish until acknowledged, as in `router.open_messages`."""

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
        decided: list[Decided] = []
        for package_id, returned in by_package.items():
            package = self.config.package(package_id)
            if package is None:
                decided.append(Decided(None, returned, self._without_package(returned)))
                continue
            routes = next_routes(returned, package, self.pending.snapshot(self.config), self.chance)
            if any(_is_reply(*pair) for pair in zip(returned, routes, strict=True)):
                routes = await self._with_substitutes(package, returned, routes)
            decided.append(Decided(package, returned, routes))
        if waited:
            decided += await self._share_waiting(waited)
        events = [event for each in await self._keep(decided) for event in self._events(each)]
        written = {record.event.delivery_id: record.written_at for record in batch}
        try:
            await self.bus.publish(*(dated(event, written) for event in events))
        except RecordsRefused as error:
            by_id = {record.event.delivery_id: record.event for record in batch}
            await self._end(
                {
                    key: (by_id[key], reason_of_refusal(record.reason))
                    for record in error.refused
                    for key in _delivery_ids(events[record.index])
                }
            )

    async def _keep(self, decided: Sequence[Decided]) -> list[Decided]:
        """Store the new decisions. Returns what is stored, so that a repeated record gets its first decision again.

        A reply whose package is not known gets no decision yet. The router publishes the returned reply again.
        """
        new = {
            _key(delivery): result
            for each in decided
            for delivery, result in each.pairs
            if delivery.lane == "open" or not isinstance(result, NoRouteNow)
        }
        if not new:
            return list(decided)
        kept = await self.store.keep_reassignments(new)
        return [
            replace(each, results=[kept.get(_key(delivery), result) for delivery, result in each.pairs])
            for each in decided
        ]

    async def _end(self, refused: Mapping[str, tuple[DeliveryReturned, str]]) -> None:
        """End these deliveries, because Kafka does not take their next assignments. The stored decisions are changed
        first, so that a repeated record gets the same end."""
        ends = {_key(delivery): NoRoute(reason) for delivery, reason in refused.values()}
        await self.store.replace_reassignments(ends)
        at, events = self.clock(), list[Event]()
        for delivery, reason in refused.values():
            REFUSED.labels(delivery.lane).inc()
            events += TerminalOutcome.of_returned(delivery, reason).events(at)
        await self.bus.publish(*events)

    def _without_package(self, returned: Sequence[DeliveryReturned]) -> list[ReassignResult]:
        now = self.clock()
        return [without_package(each, self.config.is_removed(each.package_id), now) for each in returned]

    async def _with_substitutes(
        self, package: Package, returned: Sequence[DeliveryReturned], routes: Sequence[ReassignResult]
    ) -> list[ReassignResult]:
        """The same routes, except that each reply goes to the substitute of its customer. New substitutes are
        stored."""
        pairs = list(zip(returned, routes, strict=True))
        keys = {(delivery.package_id, delivery.person) for delivery, route in pairs if _is_reply(delivery, route)}
        results: list[ReassignResult] = []
        async with self.store.begin() as connection:
            stored = await self.store.substitutions(connection, keys)
            substitutes = {key: row.substitute for key, row in stored.items()}
            chosen: dict[ConversationKey, str | None] = {}
            for delivery, route in pairs:
                if not isinstance(route, Route) or delivery.lane != "reply":
                    results.append(route)
                    continue
                key = delivery.package_id, delivery.person
                candidates = find_candidates(package, self.config.states, "reply", delivery.tried)
                profile_id = substitute(candidates, self.config.states, substitutes.get(key), self.turns)
                if profile_id != substitutes.get(key):
                    substitutes[key] = chosen[key] = profile_id
                results.append(Route(profile_id, route.reason))
            await self.store.save_substitutes(connection, chosen)
        return results

    async def _share_waiting(self, waited: Mapping[str, Sequence[DeliveryReturned]]) -> list[Decided]:
        """The decisions on deliveries that waited without a profile. Also stores the new cursor of each package."""
        packages = {package_id: self.config.package(package_id) for package_id in waited}
        days = {package.package_id: package.conversation_days for package in packages.values() if package is not None}
        keys = {
            (package_id, delivery.person)
            for package_id in days
            for delivery in waited[package_id]
            if (package := packages[package_id]) is not None
            and keeps_profiles(package, delivery.distribution or package.distribution)
        }
        decided: list[Decided] = []
        async with self.store.begin() as connection:
            cursors = await self.store.lock_cursors(connection, list(waited))
            talks_to = await self.store.talks_to(connection, keys, days, self.clock())
            for package_id, returned in waited.items():
                package, snapshot = packages[package_id], self.pending.snapshot(self.config)
                if package is None:
                    decided.append(Decided(None, returned, self._without_package(returned)))
                    continue
                talk = talks_to.get(package_id, {})
                routes, cursors[package_id] = share_waiting(
                    returned, package, snapshot, cursors[package_id], self.chance, talk
                )
                decided.append(Decided(package, returned, routes))
            await self.store.save_cursors(connection, cursors)
        return decided

    def _events(self, decided: Decided) -> list[Event]:
        package = decided.package
        events: list[Event] = []
        open_routes: list[tuple[DeliveryReturned, Route]] = []
        waiting: list[tuple[DeliveryReturned, NoRouteNow]] = []
        again: list[DeliveryReturned] = []
        for delivery, result in decided.pairs:
            match result:
                case Route() if delivery.lane == "open":
                    open_routes.append((delivery, result))
                case Route(profile_id, reason):
                    ROUTED.labels("reply", "another profile").inc()
                    events.append(reply_event(delivery, profile_id, reason))
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
        assigned = [open_event(part, version) for part in parts(open_routes)]
        return [
            *events,
            *again,
            *(event.model_copy(update={"assigned_at": assigned_at}) for event in assigned),
            *(waiting_event(part, package) for part in parts(waiting)),
        ]


def _key(returned: DeliveryReturned) -> ReturnKey:
    return returned.delivery_id, returned.attempt


def _delivery_ids(event: Event) -> list[str]:
    if isinstance(event, OpenDeliveriesAssigned | OpenDeliveriesWaiting):
        return [delivery.delivery_id for delivery in event.deliveries]
    return [event.delivery_id] if isinstance(event, ReplyDeliveryAssigned | DeliveryReturned) else []


def _is_reply(delivery: DeliveryReturned, route: ReassignResult) -> bool:
    return delivery.lane == "reply" and isinstance(route, Route)
