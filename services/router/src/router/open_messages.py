"""Open chat: the handler that gives each delivery of an open message its profile.

Delivery promise: decide once, then publish until acknowledged. The decision of a record is kept (one row) before its
events go out, and the record's offset is committed after; so a crash in between repeats the same events, which their
readers drop, and never another decision (decision 0004).

Who was suppressed before a message was asked for gets nothing of it: the router reads the lists up to now first
(decision 0018).
"""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from router.config_cache import RouterConfigCache
from router.core.conversations import is_over
from router.core.routing import Routing, assigned, keeps_profiles, recipients, route, terminal_outcomes
from router.metrics import REFUSED, ROUTED
from router.pending_assignments import PendingAssignments
from router.postgres import RoutingStore
from spreader.clock import Now
from spreader.consent import ConsentTable, objection, wait_until_consents_consumed
from spreader.contract.configuration import Package
from spreader.contract.events import Event, MessageRouted, OpenMessageRequested
from spreader.kafka.bus import Bus
from spreader.kafka.guarded_consumer import Received
from spreader.kafka.read_barrier import ReadProgress

log = structlog.get_logger()

CONSENTS = ConsentTable("router")
CONSENT_SECONDS = 5.0
"""A large import of suppressions may take longer to read; pacer and sender look again."""


@dataclass(frozen=True)
class OpenMessageRouter:
    store: RoutingStore
    bus: Bus
    directory: RouterConfigCache
    now: Now
    assigned: PendingAssignments
    progress: ReadProgress
    consents: ConsentTable = CONSENTS
    chance: random.Random = field(default_factory=random.Random)

    async def on_requested(self, batch: Sequence[Received[OpenMessageRequested]]) -> None:
        if not await wait_until_consents_consumed(self.progress, CONSENT_SECONDS):
            log.warning("open messages are shared out although changes of consent are still unread")
        requests = [each.event for each in batch]
        packages = [await self.directory.package_at(each.package_id, each.package_version) for each in requests]
        routings = await self._decide(requests, packages)
        decisions = zip(requests, routings, strict=True)
        await self.bus.publish(*(event for decision in decisions for event in self._events(*decision)))

    async def _decide(
        self, requests: Sequence[OpenMessageRequested], packages: Sequence[Package | None]
    ) -> list[Routing]:
        """The kept decision of each record, or a new one which is kept from now on."""
        async with self.store.begin() as connection:
            cursors = await self.store.cursors(connection, [each.package_id for each in requests])
            known = await self.store.routings(connection, [_chunk(each) for each in requests])
            talks_to = await self._talks_to(connection, requests, packages)
            suppressed = await self._suppressed(connection, requests, packages)
            decided = self._route_new(requests, packages, known, cursors, talks_to, suppressed)
            await self.store.save(connection, list(decided.values()), cursors)
        return [known.get(_chunk(each)) or decided[_chunk(each)] for each in requests]

    async def _talks_to(
        self,
        connection: AsyncConnection,
        requests: Sequence[OpenMessageRequested],
        packages: Sequence[Package | None],
    ) -> dict[str, dict[str, str]]:
        """Whom the recipients talk to, by package, where that decides anything."""
        places = {
            (package.package_id, recipient)
            for request, package in zip(requests, packages, strict=True)
            if package is not None and keeps_profiles(package, request.distribution or package.distribution)
            for recipient in request.recipients
        }
        talks_to: dict[str, dict[str, str]] = defaultdict(dict)
        now = self.now()
        days = {package.package_id: package.conversation_days for package in packages if package is not None}
        for (package_id, recipient), known in (await self.store.conversations(connection, sorted(places))).items():
            if not is_over(known, days[package_id], now):
                talks_to[package_id][recipient] = known.profile_id
        return talks_to

    async def _suppressed(
        self,
        connection: AsyncConnection,
        requests: Sequence[OpenMessageRequested],
        packages: Sequence[Package | None],
    ) -> dict[str, dict[str, str]]:
        """Who of the recipients must not be written to, by package, with the reason."""
        only = {package.package_id: package.opted_in_only for package in packages if package is not None}
        places = {(each.package_id, recipient) for each in requests for recipient in each.recipients}
        listed = await self.consents.of(connection, places)
        suppressed: dict[str, dict[str, str]] = defaultdict(dict)
        for package_id, recipient in places:
            why = objection(listed.get((package_id, recipient), ()), only.get(package_id, False))
            if why is not None:
                suppressed[package_id][recipient] = why
        return suppressed

    def _route_new(
        self,
        requests: Sequence[OpenMessageRequested],
        packages: Sequence[Package | None],
        known: Mapping[tuple[str, int], Routing],
        cursors: dict[str, int],
        talks_to: Mapping[str, Mapping[str, str]],
        suppressed: Mapping[str, Mapping[str, str]],
    ) -> dict[tuple[str, int], Routing]:
        decided: dict[tuple[str, int], Routing] = {}
        for request, package in zip(requests, packages, strict=True):
            chunk, package_id = _chunk(request), request.package_id
            if chunk in known or chunk in decided:
                continue
            routing, cursors[package_id] = route(
                request, package, self.assigned.snapshot(self.directory), cursors[package_id], self.chance,
                talks_to.get(package_id), suppressed.get(package_id),
            )  # fmt: skip
            at = self.assigned.note(filter(None, routing.profiles), self.now())
            decided[chunk] = replace(routing, assigned_at=at)
        return decided

    def _events(self, request: OpenMessageRequested, routing: Routing) -> list[Event]:
        rejected = 0 if routing.refused is None else len(recipients(request))
        REFUSED.labels("open").inc(rejected)
        ROUTED.labels("open", routing.strategy).inc(sum(routing.distribution.values()))
        events: list[Event] = [assigned(request, routing)] if routing.distribution else []
        at = self.now()
        events += [event for ending in terminal_outcomes(request, routing) for event in ending.events(at)]
        if request.callback_partition is not None:
            events.append(
                MessageRouted(
                    traceparent=request.traceparent,
                    callback_partition=request.callback_partition,
                    message_id=request.message_id,
                    first_index=request.first_index,
                    distribution=routing.distribution,
                    rejected=rejected,
                    suppressed=len(routing.suppressed),
                    reason=routing.refused,
                )
            )
        return events


def _chunk(request: OpenMessageRequested) -> tuple[str, int]:
    return request.message_id, request.first_index
