"""Open chat: the handler that gives each delivery of an open message its profile.

Delivery promise: decide once, then publish until acknowledged. The decision of a record is kept (one row) before its
events go out, and the record's offset is committed after; so a crash in between repeats the same events, which their
readers drop, and never another decision (decision 0004).
"""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection

from router.assigned import Assigned
from router.core.conversations import is_over
from router.core.routing import Routing, assigned, keeps_profiles, recipients, route
from router.directory import Directory
from router.metrics import REFUSED, ROUTED
from router.postgres import Store
from spreader.boundary import Received
from spreader.bus import Bus
from spreader.clock import Now
from spreader.configuration import Package
from spreader.events import DeliveryOutcome, Event, MessageRouted, OpenMessageRequested
from spreader.ids import delivery_id


@dataclass(frozen=True)
class OpenChat:
    store: Store
    bus: Bus
    directory: Directory
    now: Now
    assigned: Assigned
    chance: random.Random = field(default_factory=random.Random)

    async def on_requested(self, batch: Sequence[Received[OpenMessageRequested]]) -> None:
        requests = [each.event for each in batch]
        packages = [await self.directory.package(each.package_id, each.package_version) for each in requests]
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
            decided = self._route_new(requests, packages, known, cursors, talks_to)
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

    def _route_new(
        self,
        requests: Sequence[OpenMessageRequested],
        packages: Sequence[Package | None],
        known: Mapping[tuple[str, int], Routing],
        cursors: dict[str, int],
        talks_to: Mapping[str, Mapping[str, str]],
    ) -> dict[tuple[str, int], Routing]:
        decided: dict[tuple[str, int], Routing] = {}
        for request, package in zip(requests, packages, strict=True):
            chunk, package_id = _chunk(request), request.package_id
            if chunk in known or chunk in decided:
                continue
            decided[chunk], cursors[package_id] = route(
                request, package, self.assigned.fleet(self.directory), cursors[package_id], self.chance,
                talks_to.get(package_id),
            )  # fmt: skip
            self.assigned.note(decided[chunk].profiles)
        return decided

    def _events(self, request: OpenMessageRequested, routing: Routing) -> list[Event]:
        rejected = 0 if routing.refused is None else len(recipients(request))
        REFUSED.labels("open").inc(rejected)
        ROUTED.labels("open", routing.strategy).inc(len(routing.profiles))
        events: list[Event] = [assigned(request, routing)] if routing.profiles else self._rejections(request, routing)
        if request.callback_partition is not None:
            events.append(
                MessageRouted(
                    traceparent=request.traceparent,
                    callback_partition=request.callback_partition,
                    message_id=request.message_id,
                    first_index=request.first_index,
                    distribution=routing.distribution,
                    rejected=rejected,
                    reason=routing.refused,
                )
            )
        return events

    def _rejections(self, request: OpenMessageRequested, routing: Routing) -> list[Event]:
        return [
            DeliveryOutcome(
                traceparent=request.traceparent,
                package_id=request.package_id,
                message_id=request.message_id,
                delivery_id=delivery_id(request.message_id, recipient),
                recipient=recipient,
                lane="open",
                status="rejected",
                at=self.now(),
                reason=routing.refused,
            )
            for recipient in recipients(request)
        ]


def _chunk(request: OpenMessageRequested) -> tuple[str, int]:
    return request.message_id, request.first_index
