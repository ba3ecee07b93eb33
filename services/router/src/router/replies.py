"""Reply router: the handler that assigns each reply to the profile that the customer talks to.

Delivery promise: a new conversation is stored before the reply's assignment is published, and the offset is committed
after that. A repeated record finds the same conversation, and the sender drops the repeated delivery.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from router.config_cache import RouterConfigCache
from router.core.candidates import find_candidates
from router.core.completed_request import completed_reply
from router.core.conversations import Conversation, ConversationKey, is_over, reply_route
from router.core.refusal import reason_of_refusal
from router.core.route import NoRoute, Route, RouteResult
from router.core.substitutes import SubstituteTurns, substitute
from router.core.terminal_outcome import TerminalOutcome
from router.metrics import REFUSED, ROUTED
from router.postgres import RoutingStore
from router.sql_conversations import NewConversationRow
from spreader.clock import Clock
from spreader.contract.configuration import Package
from spreader.contract.events import CustomerMessage, Event, ReplyDeliveryAssigned, ReplyMessageRequested
from spreader.contract.ids import delivery_id
from spreader.kafka.bus import Bus, RecordsRefused
from spreader.kafka.guarded_consumer import Received
from spreader.kafka.partitions import partition_of
from spreader.kafka.read_barrier import ReadProgress, wait_until_consumed
from spreader.phone.canonical import spellings
from spreader.runtime.postgres import autocommit
from spreader.runtime.rehearsal import free_connections

log = structlog.get_logger()

EXPIRES_AFTER = timedelta(minutes=10)
"""How long after its request a reply expires. This is wall time, because a reply waits only for machines, which do not
run faster when the system's clock does."""


@dataclass(frozen=True)
class ReplyRouter:
    store: RoutingStore
    bus: Bus
    config: RouterConfigCache
    clock: Clock
    progress: ReadProgress
    read_wait_seconds: float
    turns: SubstituteTurns = field(default_factory=SubstituteTurns)

    async def on_requested(self, batch: Sequence[Received[ReplyMessageRequested]]) -> None:
        packages = await self.config.packages_of([record.event for record in batch])
        batch = [
            replace(record, event=completed_reply(record.event, package and package.default_country))
            for record, package in zip(batch, packages, strict=True)
        ]
        partitions = {partition for record in batch for partition in _customer_partitions(record.event)}
        await self._wait_for_customer_messages({number for number in partitions if number is not None})
        results = await self._route_all([record.event for record in batch], packages)
        of_records = [self._events(*pair) for pair in zip(batch, results, strict=True)]
        numbers = [number for number, events in enumerate(of_records) for _ in events]
        try:
            await self.bus.publish(*(event for events in of_records for event in events))
        except RecordsRefused as error:
            ends = [
                (batch[numbers[record.index]], NoRoute(reason_of_refusal(record.reason))) for record in error.refused
            ]
            await self.bus.publish(*(event for end in ends for event in self._events(*end)))

    async def rehearse(self) -> None:
        """Prepare the statements of a reply and of its outcome, so that the first reply does not wait for this."""
        async with free_connections(self.store.engine) as connections:
            for connection in connections:
                await self.store.rehearse(connection)

    async def _wait_for_customer_messages(self, partitions: set[int]) -> None:
        """Wait until earlier messages of the customers are read, because they decide the profile of a reply.

        A customer's messages and the replies to them have the same key, so they have the same partition number in both
        topics. The wait is bounded, because a reply through another profile is better than a reply that does not come.
        """
        if not await wait_until_consumed(self.progress, CustomerMessage.topic, partitions, self.read_wait_seconds):
            log.warning("customers' messages are still unread; sending replies anyway", partitions=sorted(partitions))

    async def _route_all(
        self, requests: Sequence[ReplyMessageRequested], packages: Sequence[Package | None]
    ) -> list[RouteResult]:
        """The route of each reply. Conversations that begin with these replies, and new substitutes, are stored."""
        keys = sorted({_conversation_key(request) for request in requests})
        async with autocommit(self.store.engine) as connection:
            known = await self.store.conversations(connection, keys)
        substitutes = {key: conversation.substitute for key, conversation in known.items()}
        results = [
            self._route(request, package, known.get(_conversation_key(request)), substitutes)
            for request, package in zip(requests, packages, strict=True)
        ]
        new = {
            _conversation_key(request): NewConversationRow(
                request.package_id, request.person, result.profile_id, request.requested_at
            )
            for request, result in zip(requests, results, strict=True)
            if isinstance(result, Route) and _conversation_key(request) not in known
        }
        if new:
            async with autocommit(self.store.engine) as connection:
                await self.store.begin_conversations(connection, [new[key] for key in sorted(new)])
        changed = {key: chosen for key, chosen in substitutes.items() if chosen != known[key].substitute}
        if changed:
            async with self.store.begin() as connection:
                await self.store.save_substitutes(connection, changed)
        return results

    def _route(
        self,
        request: ReplyMessageRequested,
        package: Package | None,
        conversation: Conversation | None,
        substitutes: dict[ConversationKey, str | None],
    ) -> RouteResult:
        """The route of one reply. If the conversation gets another substitute, the function also stores this substitute
        in `substitutes`."""
        if package is None:
            return NoRoute(f"there is no package {request.package_id}")
        if request.contradiction is not None:
            return NoRoute(request.contradiction)
        now, states = self.clock(), self.config.states
        route = reply_route(package, states, conversation, now, request.continues_conversation)
        if conversation is None or isinstance(route, NoRoute) or route.profile_id == conversation.profile_id:
            return route
        if not request.continues_conversation and is_over(conversation, package.conversation_days, now):
            substitutes[conversation.key] = None  # the conversation begins again, with a profile of its own
            return route
        candidates = find_candidates(package, states, "reply")
        chosen = substitute(candidates, states, substitutes.get(conversation.key), self.turns)
        substitutes[conversation.key] = chosen
        return Route(chosen, route.reason)

    def _events(self, record: Received[ReplyMessageRequested], result: RouteResult) -> list[Event]:
        request = record.event
        match result:
            case Route(profile_id, reason):
                ROUTED.labels("reply", "sticky").inc()
                return [self._assigned(request, self._expiry(record), profile_id, reason)]
            case NoRoute(reason):
                REFUSED.labels("reply").inc()
                return TerminalOutcome.of_reply(request, reason).events(self.clock())

    def _expiry(self, record: Received[ReplyMessageRequested]) -> datetime:
        """When the reply expires: 10 minutes after its request (`EXPIRES_AFTER`). The time of the request is the one
        that the publisher gave, or the time at which the record was first written, if that was earlier. So a request
        that is read again much later is not sent again."""
        asked, written = record.event.requested_at, record.written_at
        return (asked if written is None else min(asked, self.clock.at(written))) + self.clock.system(EXPIRES_AFTER)

    def _assigned(
        self, request: ReplyMessageRequested, expires_at: datetime, profile_id: str, reason: str
    ) -> ReplyDeliveryAssigned:
        return ReplyDeliveryAssigned(
            traceparent=request.traceparent,
            package_id=request.package_id,
            message_id=request.message_id,
            delivery_id=delivery_id(request.message_id, request.recipient),
            recipient=request.recipient,
            profile_id=profile_id,
            content=request.content,
            reason=reason,
            requested_at=request.requested_at,
            expires_at=expires_at,
            quote=request.quote,
            callback_partition=request.callback_partition,
        )


def _conversation_key(request: ReplyMessageRequested) -> ConversationKey:
    return request.package_id, request.person


def _customer_partitions(request: ReplyMessageRequested) -> set[int | None]:
    """The partitions that may contain earlier messages of the customer. During an upgrade to decision 0058 there may be
    two, because an older ingress chooses the partition by the number as the gateway spells it."""
    keys = (f"{request.package_id}:{spelling}" for spelling in spellings(request.recipient))
    return {partition_of(CustomerMessage.topic, key.encode()) for key in keys}
