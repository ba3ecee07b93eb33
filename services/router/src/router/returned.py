"""Returned delivery: the handler that finds another profile for what was surely not sent, or ends it."""

from collections.abc import Sequence
from dataclasses import dataclass

from router.core.conversations import NoWay, Through
from router.core.retries import next_profile
from router.directory import Directory
from router.metrics import REFUSED, ROUTED
from spreader.boundary import Received
from spreader.bus import Bus
from spreader.clock import Clock
from spreader.events import (
    AssignedDelivery,
    DeliveryOutcome,
    DeliveryReturned,
    Event,
    OpenDeliveriesAssigned,
    ReplyDeliveryAssigned,
    ReplySettled,
)


@dataclass(frozen=True)
class Returned:
    """A repeated record may get another answer than before; readers keep the first of an attempt and drop the rest."""

    bus: Bus
    directory: Directory
    clock: Clock

    async def on_returned(self, batch: Sequence[Received[DeliveryReturned]]) -> None:
        events: list[Event] = []
        for each in batch:
            package = await self.directory.package(each.event.package_id, None)
            version = None if package is None else package.version
            events += self._events(each.event, next_profile(each.event, package, self.directory.states), version)
        await self.bus.publish(*events)

    def _events(self, returned: DeliveryReturned, route: Through | NoWay, version: int | None) -> list[Event]:
        match route:
            case Through(profile_id, reason) if returned.lane == "open":
                ROUTED.labels("open", "another profile").inc()
                return [_open_again(returned, profile_id, reason, version)]
            case Through(profile_id, reason):
                ROUTED.labels("reply", "another profile").inc()
                return [_reply_again(returned, profile_id, reason)]
            case NoWay(reason):
                REFUSED.labels(returned.lane).inc()
                return self._failure(returned, reason)

    def _failure(self, returned: DeliveryReturned, reason: str) -> list[Event]:
        at = self.clock()
        events: list[Event] = [
            DeliveryOutcome(
                traceparent=returned.traceparent,
                package_id=returned.package_id,
                message_id=returned.message_id,
                delivery_id=returned.delivery_id,
                recipient=returned.recipient,
                lane=returned.lane,
                status="failed",
                at=at,
                profile_id=returned.tried[-1] if returned.tried else None,
                attempt=returned.attempt,
                reason=reason,
            )
        ]
        if returned.lane == "reply" and returned.callback_partition is not None:
            events.append(
                ReplySettled(
                    callback_partition=returned.callback_partition,
                    message_id=returned.message_id,
                    status="failed",
                    at=at,
                    profile_id=returned.tried[-1] if returned.tried else None,
                    reason=reason,
                )
            )
        return events


def _open_again(
    returned: DeliveryReturned, profile_id: str, reason: str, version: int | None
) -> OpenDeliveriesAssigned:
    return OpenDeliveriesAssigned(
        traceparent=returned.traceparent,
        package_id=returned.package_id,
        message_id=returned.message_id,
        content=returned.content,
        options=returned.options,
        requested_at=returned.requested_at,
        package_version=version,
        strategy="round_robin",
        passed_over=dict.fromkeys(returned.tried, reason),
        deliveries=(
            AssignedDelivery(
                delivery_id=returned.delivery_id,
                recipient=returned.recipient,
                profile_id=profile_id,
                index=returned.index,
                attempt=returned.attempt + 1,
                tried=returned.tried,
            ),
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
        callback_partition=returned.callback_partition,
    )
