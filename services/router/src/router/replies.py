"""Reply router: the handler that assigns each reply to the profile that the customer talks to.

Delivery promise: a new conversation is stored before its assignment is published, and the offset is committed after
that. A repeated record finds the same conversation, and the sender drops the repeated delivery.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog

from router.config_cache import RouterConfigCache
from router.core.conversations import Conversation, reply_route
from router.core.route import NoRoute, Route, RouteResult
from router.core.terminal_outcome import TerminalOutcome
from router.metrics import REFUSED, ROUTED
from router.postgres import RoutingStore
from spreader.clock import Clock
from spreader.contract.configuration import Package
from spreader.contract.events import CustomerMessage, Event, ReplyDeliveryAssigned, ReplyMessageRequested
from spreader.contract.ids import delivery_id
from spreader.kafka.bus import Bus
from spreader.kafka.guarded_consumer import Received
from spreader.kafka.read_barrier import ReadProgress, wait_until_consumed

log = structlog.get_logger()

EXPIRES_AFTER = timedelta(minutes=10)
"""This is wall time, because a reply waits only for machines, which do not run faster with the system's time."""


@dataclass(frozen=True)
class ReplyRouter:
    store: RoutingStore
    bus: Bus
    config: RouterConfigCache
    clock: Clock
    progress: ReadProgress
    read_wait_seconds: float

    async def on_requested(self, batch: Sequence[Received[ReplyMessageRequested]]) -> None:
        await self._wait_for_customer_messages({record.partition for record in batch})
        requests = [record.event for record in batch]
        results = await self._route_all(requests)
        await self.bus.publish(
            *(
                event
                for request, result in zip(requests, results, strict=True)
                for event in self._events(request, result)
            )
        )

    async def _wait_for_customer_messages(self, partitions: set[int]) -> None:
        """Wait until earlier messages of the customers are read, because they decide the profile of a reply.

        A customer's messages and the replies to them have the same key, so they have the same partition number in both
        topics. The wait is bounded: a reply through another profile is better than a reply that does not come.
        """
        if not await wait_until_consumed(self.progress, CustomerMessage.topic, partitions, self.read_wait_seconds):
            log.warning("customers' messages are still unread; sending replies anyway", partitions=sorted(partitions))

    async def _route_all(self, requests: Sequence[ReplyMessageRequested]) -> list[RouteResult]:
        """The route of each reply. Conversations that begin with these replies are stored."""
        keys = sorted({(request.package_id, request.recipient) for request in requests})
        packages = await self.config.packages_of(requests)
        async with self.store.begin() as connection:
            known = await self.store.conversations(connection, keys)
            results = [
                self._route(request, package, known.get((request.package_id, request.recipient)))
                for request, package in zip(requests, packages, strict=True)
            ]
            new = {
                (request.package_id, request.recipient): result.profile_id
                for request, result in zip(requests, results, strict=True)
                if isinstance(result, Route) and (request.package_id, request.recipient) not in known
            }
            await self.store.begin_conversations(connection, [Conversation(*key, new[key]) for key in sorted(new)])
        return results

    def _route(
        self, request: ReplyMessageRequested, package: Package | None, conversation: Conversation | None
    ) -> RouteResult:
        if package is None:
            return NoRoute(f"there is no package {request.package_id}")
        if request.contradiction is not None:
            return NoRoute(request.contradiction)
        return reply_route(package, self.config.states, conversation, self.clock(), request.continues_conversation)

    def _events(self, request: ReplyMessageRequested, result: RouteResult) -> list[Event]:
        match result:
            case Route(profile_id, reason):
                ROUTED.labels("reply", "sticky").inc()
                return [self._assigned(request, profile_id, reason)]
            case NoRoute(reason):
                REFUSED.labels("reply").inc()
                return TerminalOutcome.of_reply(request, reason).events(self.clock())

    def _assigned(self, request: ReplyMessageRequested, profile_id: str, reason: str) -> ReplyDeliveryAssigned:
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
            expires_at=request.requested_at + self.clock.system(EXPIRES_AFTER),
            quote=request.quote,
            callback_partition=request.callback_partition,
        )
