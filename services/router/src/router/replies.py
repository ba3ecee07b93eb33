"""Reply: the handler that finds the profile that a customer talks to, and hands the reply straight to the sender.

Delivery promise: the binding of a new customer is kept before the assignment goes out; the offset is committed after.
A repeat finds the same binding, and the sender drops the repeated delivery.
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
from spreader.contract.events import CustomerMessage, Event, ReplyDeliveryAssigned, ReplyMessageRequested
from spreader.contract.ids import delivery_id
from spreader.kafka.bus import Bus
from spreader.kafka.guarded_consumer import Received
from spreader.kafka.read_barrier import ReadProgress, wait_until_consumed

log = structlog.get_logger()

EXPIRES_AFTER = timedelta(minutes=10)


@dataclass(frozen=True)
class ReplyRouter:
    store: RoutingStore
    bus: Bus
    directory: RouterConfigCache
    clock: Clock
    progress: ReadProgress
    heard_wait_seconds: float

    async def on_requested(self, batch: Sequence[Received[ReplyMessageRequested]]) -> None:
        await self._hear_first({each.partition for each in batch})
        requests = [each.event for each in batch]
        routes = await self._routes(requests)
        await self.bus.publish(
            *(event for request, route in zip(requests, routes, strict=True) for event in self._events(request, route))
        )

    async def _hear_first(self, partitions: set[int]) -> None:
        """Read what customers wrote before these replies were asked for: it decides which account they talk to.

        A customer's words and the replies to them have the same key, hence the same partition number of two topics.
        The wait is bounded: a late word costs the right account at worst, a blocked reply costs the customer.
        """
        if not await wait_until_consumed(self.progress, CustomerMessage.topic, partitions, self.heard_wait_seconds):
            log.warning("replies go out although customers' messages are still unread", partitions=sorted(partitions))

    async def _routes(self, requests: Sequence[ReplyMessageRequested]) -> list[RouteResult]:
        places = sorted({(each.package_id, each.recipient) for each in requests})
        async with self.store.begin() as connection:
            known = await self.store.conversations(connection, places)
            routes = [await self._route(each, known.get((each.package_id, each.recipient))) for each in requests]
            new = {
                (request.package_id, request.recipient): route.profile_id
                for request, route in zip(requests, routes, strict=True)
                if isinstance(route, Route) and (request.package_id, request.recipient) not in known
            }
            await self.store.bind(connection, [Conversation(*place, new[place]) for place in sorted(new)])
        return routes

    async def _route(self, request: ReplyMessageRequested, conversation: Conversation | None) -> RouteResult:
        package = await self.directory.package_at(request.package_id, request.package_version)
        if package is None:
            return NoRoute(f"there is no package {request.package_id}")
        if request.contradiction is not None:
            return NoRoute(request.contradiction)
        return reply_route(package, self.directory.states, conversation, self.clock(), request.continues_conversation)

    def _events(self, request: ReplyMessageRequested, route: RouteResult) -> list[Event]:
        match route:
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
            # By the wall's clock: what a reply waits for is machines, and they do not run faster with the system's.
            expires_at=request.requested_at + self.clock.system(EXPIRES_AFTER),
            quote=request.quote,
            callback_partition=request.callback_partition,
        )
