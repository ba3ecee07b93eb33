"""Open message router: the handler that assigns a profile to each delivery of an open message.

Delivery promise: decide once, then publish until acknowledged. The router first stores the decision on a record. Then
it publishes the events that follow from the decision, and last it commits the record's offset. After a crash in
between, the router publishes the same events again, and their readers drop the repeats. It never makes another decision
(decision 0004).

If a recipient was suppressed before a message was requested, the recipient must not get this message. So the router
first reads the changes of consent up to now (decision 0018).
"""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import compress

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from router.config_cache import RouterConfigCache
from router.core.completed_request import completed_open
from router.core.refusal import reason_of_refusal
from router.core.routing import (
    RecordKey,
    Routing,
    assigned_event,
    keeps_profiles,
    recipients,
    route_record,
    terminal_outcomes,
    waiting_event,
    waiting_recipients,
)
from router.metrics import REFUSED, ROUTED
from router.pending_assignments import PendingAssignments
from router.postgres import RoutingStore
from spreader.clock import Now, wall_now
from spreader.consent import ConsentTable, objection, wait_until_consents_consumed
from spreader.contract.age import refusal_of_age
from spreader.contract.configuration import Package
from spreader.contract.events import Event, MessageRouted, OpenMessageRequested
from spreader.kafka.bus import Bus, RecordsRefused
from spreader.kafka.guarded_consumer import Received
from spreader.kafka.read_barrier import ReadProgress
from spreader.phone.canonical import PersonKey, person_key

log = structlog.get_logger()

CONSENTS = ConsentTable("router")
CONSENT_WAIT_SECONDS = 5.0
"""How long the router waits, at most, until it has read the changes of consent. A large import of consents may take
longer. The router then goes on, because pacer and sender check consent again."""


@dataclass(frozen=True)
class OpenMessageRouter:
    store: RoutingStore
    bus: Bus
    config: RouterConfigCache
    now: Now
    pending: PendingAssignments
    progress: ReadProgress
    consents: ConsentTable = CONSENTS
    chance: random.Random = field(default_factory=random.Random)
    wall: Now = wall_now

    async def on_requested(self, batch: Sequence[Received[OpenMessageRequested]]) -> None:
        if not await wait_until_consents_consumed(self.progress, CONSENT_WAIT_SECONDS):
            log.warning("changes of consent are still unread; routing open messages anyway")
        received = [record.event for record in batch]
        packages = await self.config.packages_of(received)
        await self.config.wait_for_states(packages)
        refusals = [refusal_of_age(record.written_at, self.wall()) for record in batch]
        routings = await self._decide(received, packages, refusals)
        requests = [
            completed_open(request, routing.country) for request, routing in zip(received, routings, strict=True)
        ]
        decisions = zip(requests, routings, (record.written_at for record in batch), strict=True)
        of_records = [self._events(*decision) for decision in decisions]
        numbers = [number for number, events in enumerate(of_records) for _ in events]
        try:
            await self.bus.publish(*(event for events in of_records for event in events))
        except RecordsRefused as error:
            reasons = {numbers[record.index]: reason_of_refusal(record.reason) for record in error.refused}
            await self._refuse([(requests[number], routings[number], reason) for number, reason in reasons.items()])

    async def _refuse(self, refused: Sequence[tuple[OpenMessageRequested, Routing, str]]) -> None:
        """End the deliveries of these records, because Kafka does not take their assignments. The stored decisions are
        changed first, so that a repeated record gets the same end."""
        routings = [
            replace(routing, refused=reason, profiles=(), waiting=None, reasons={}) for _, routing, reason in refused
        ]
        await self.store.refuse(routings)
        at, events = self.now(), list[Event]()
        for (request, _, _), routing in zip(refused, routings, strict=True):
            outcomes = terminal_outcomes(request, routing)
            REFUSED.labels("open").inc(len(outcomes))
            events += [event for outcome in outcomes for event in outcome.events(at)]
        await self.bus.publish(*events)

    async def _decide(
        self,
        requests: Sequence[OpenMessageRequested],
        packages: Sequence[Package | None],
        refusals: Sequence[str | None],
    ) -> list[Routing]:
        """The stored decision on each record, or a new one, which is stored now. The package's country completes the
        recipients of new records."""
        countries = [package and package.default_country for package in packages]
        requests = [completed_open(request, country) for request, country in zip(requests, countries, strict=True)]
        async with self.store.begin() as connection:
            cursors = await self.store.lock_cursors(connection, [request.package_id for request in requests])
            known = await self.store.routings(connection, [_record_key(request) for request in requests])
            talks_to = await self._talks_to(connection, requests, packages)
            suppressed = await self._suppressed(connection, requests, packages)
            decided = self._route_new(requests, packages, refusals, known, cursors, talks_to, suppressed)
            await self.store.save(connection, list(decided.values()), cursors)
        return [known.get(_record_key(request)) or decided[_record_key(request)] for request in requests]

    async def _talks_to(
        self,
        connection: AsyncConnection,
        requests: Sequence[OpenMessageRequested],
        packages: Sequence[Package | None],
    ) -> dict[str, dict[PersonKey, str]]:
        """For each package: the profile of each person whose conversation is not over. Only requests in which
        recipients keep their profiles are looked up (`keeps_profiles`)."""
        keys = {
            (package.package_id, person_key(recipient))
            for request, package in zip(requests, packages, strict=True)
            if package is not None and keeps_profiles(package, request.distribution or package.distribution)
            for recipient in request.recipients
        }
        days = {package.package_id: package.conversation_days for package in packages if package is not None}
        return await self.store.talks_to(connection, keys, days, self.now())

    async def _suppressed(
        self,
        connection: AsyncConnection,
        requests: Sequence[OpenMessageRequested],
        packages: Sequence[Package | None],
    ) -> dict[str, dict[PersonKey, str]]:
        """For each package: the persons who must not get open messages, with the reasons."""
        opted_in_only = {package.package_id: package.opted_in_only for package in packages if package is not None}
        keys = {(request.package_id, person_key(number)) for request in requests for number in request.recipients}
        listed = await self.consents.of(connection, keys)
        suppressed: dict[str, dict[PersonKey, str]] = defaultdict(dict)
        for package_id, person in keys:
            reason = objection(listed.get((package_id, person), ()), opted_in_only.get(package_id, False))
            if reason is not None:
                suppressed[package_id][person] = reason
        return await self._without_erased(connection, requests, suppressed) if suppressed else {}

    async def _without_erased(
        self,
        connection: AsyncConnection,
        requests: Sequence[OpenMessageRequested],
        suppressed: Mapping[str, dict[PersonKey, str]],
    ) -> dict[str, dict[PersonKey, str]]:
        """The suppressed recipients without those who were erased after a request, because the decision must not name
        them. Their deliveries are assigned, and the pacer cancels them."""
        facts = [
            (person_key(number), request.requested_at)
            for request in requests
            for number in request.recipients
            if person_key(number) in suppressed.get(request.package_id, {})
        ]
        erased = {number for number, _ in compress(facts, await self.store.erasures.are_erased(connection, facts))}
        return {
            package_id: {person: reason for person, reason in reasons.items() if person not in erased}
            for package_id, reasons in suppressed.items()
        }

    def _route_new(
        self,
        requests: Sequence[OpenMessageRequested],
        packages: Sequence[Package | None],
        refusals: Sequence[str | None],
        known: Mapping[RecordKey, Routing],
        cursors: dict[str, str],
        talks_to: Mapping[str, Mapping[PersonKey, str]],
        suppressed: Mapping[str, Mapping[PersonKey, str]],
    ) -> dict[RecordKey, Routing]:
        """New decisions on the records that have none yet. Also updates `cursors`."""
        decided: dict[RecordKey, Routing] = {}
        for request, package, refusal in zip(requests, packages, refusals, strict=True):
            key, package_id = _record_key(request), request.package_id
            if key in known or key in decided:
                continue
            routing, cursors[package_id] = route_record(
                request,
                package,
                self.pending.snapshot(self.config),
                cursors[package_id],
                self.chance,
                talks_to.get(package_id),
                suppressed.get(package_id),
                refusal,
            )
            assigned_at = self.pending.add(filter(None, routing.profiles), self.now())
            country = package and package.default_country
            decided[key] = replace(routing, assigned_at=assigned_at, country=country)
        return decided

    def _events(self, request: OpenMessageRequested, routing: Routing, written_at: datetime | None) -> list[Event]:
        rejected = 0 if routing.refused is None else len(recipients(request, routing))
        REFUSED.labels("open").inc(rejected)
        ROUTED.labels("open", routing.strategy).inc(sum(routing.distribution.values()))
        events: list[Event] = [assigned_event(request, routing, written_at)] if routing.distribution else []
        if (waiting := waiting_event(request, routing, written_at)) is not None:
            events.append(waiting)
        at = self.now()
        events += [event for outcome in terminal_outcomes(request, routing) for event in outcome.events(at)]
        if request.existing_callback_partition is not None:
            events.append(
                MessageRouted(
                    traceparent=request.traceparent,
                    callback_partition=request.existing_callback_partition,
                    message_id=request.message_id,
                    first_index=request.first_index,
                    distribution=routing.distribution,
                    rejected=rejected,
                    suppressed=len(routing.suppressed),
                    waiting=waiting_recipients(request, routing),
                    reason=routing.refused or routing.waiting,
                )
            )
        return events


def _record_key(request: OpenMessageRequested) -> RecordKey:
    return request.message_id, request.first_index
