"""Reassigned events: the events by which returned deliveries go to another profile, or wait for one."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from router.core.route import NoRouteNow, Route
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

R = TypeVar("R", Route, NoRouteNow)


def dated(event: Event, written: Mapping[str, datetime | None]) -> Event:
    """The event, which gets `written_at` if it is about open deliveries. This is the time at which the first of its
    returned deliveries was written to Kafka."""
    if not isinstance(event, OpenDeliveriesAssigned | OpenDeliveriesWaiting):
        return event
    times = [at for delivery in event.deliveries if (at := written.get(delivery.delivery_id)) is not None]
    return event.model_copy(update={"written_at": min(times)}) if times else event


def parts(routes: Sequence[tuple[DeliveryReturned, R]]) -> list[list[tuple[DeliveryReturned, R]]]:
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


def open_event(routes: Sequence[tuple[DeliveryReturned, Route]], version: int | None) -> OpenDeliveriesAssigned:
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


def waiting_event(
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


def reply_event(returned: DeliveryReturned, profile_id: str, reason: str) -> ReplyDeliveryAssigned:
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
