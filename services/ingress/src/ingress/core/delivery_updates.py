"""Delivery update: what one event says about one delivery."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from ingress.core.status import Progress, progress, shown_status
from spreader.contract.bounds import Bound
from spreader.contract.events import (
    AssignedDelivery,
    DeliveryOutcome,
    DeliveryReleased,
    Lane,
    OpenDeliveriesAssigned,
    OpenDeliveriesWaiting,
    ReplyDeliveryAssigned,
    Status,
    WaitingDelivery,
)


@dataclass(frozen=True, slots=True)
class DeliveryUpdate:
    delivery_id: str
    message_id: str
    package_id: str
    lane: Lane
    recipient: str
    status: Status
    progress: Progress
    at: datetime
    profile_id: str | None = None
    index: int | None = None
    reason: str | None = None
    failure: str | None = None
    gateway_message_id: str | None = None
    sent_at: datetime | None = None
    delivered_at: datetime | None = None
    read_at: datetime | None = None


def from_open_assigned(event: OpenDeliveriesAssigned) -> list[DeliveryUpdate]:
    return [_held(event, delivery, profile_id=delivery.profile_id) for delivery in event.deliveries]


def from_open_waiting(event: OpenDeliveriesWaiting) -> list[DeliveryUpdate]:
    return [_held(event, delivery, reason=Bound.WAITING_FOR_PROFILE) for delivery in event.deliveries]


def _held(
    event: OpenDeliveriesAssigned | OpenDeliveriesWaiting,
    delivery: AssignedDelivery | WaitingDelivery,
    profile_id: str | None = None,
    reason: str | None = None,
) -> DeliveryUpdate:
    return DeliveryUpdate(
        delivery_id=delivery.delivery_id,
        message_id=event.message_id,
        package_id=event.package_id,
        lane="open",
        recipient=delivery.recipient,
        status="held",
        progress=progress("held", delivery.attempt, None),
        at=event.requested_at,
        profile_id=profile_id,
        index=delivery.index,
        reason=reason,
    )


def from_reply_assigned(event: ReplyDeliveryAssigned) -> list[DeliveryUpdate]:
    return [
        DeliveryUpdate(
            delivery_id=event.delivery_id,
            message_id=event.message_id,
            package_id=event.package_id,
            lane="reply",
            recipient=event.recipient,
            status="held",
            progress=progress("held", event.attempt, None),
            at=event.requested_at,
            profile_id=event.profile_id,
            index=0,
        )
    ]


def from_released(event: DeliveryReleased) -> list[DeliveryUpdate]:
    return [
        DeliveryUpdate(
            delivery_id=event.delivery_id,
            message_id=event.message_id,
            package_id=event.package_id,
            lane="open",
            recipient=event.recipient,
            status="released",
            progress=progress("released", event.attempt, event.release),
            at=event.released_at,
            profile_id=event.profile_id,
        )
    ]


def from_outcome(event: DeliveryOutcome) -> list[DeliveryUpdate]:
    return [
        DeliveryUpdate(
            delivery_id=event.delivery_id,
            message_id=event.message_id,
            package_id=event.package_id,
            lane=event.lane,
            recipient=event.recipient,
            status=shown_status(event.status),
            progress=progress(event.status, event.attempt, event.release),
            at=event.at,
            profile_id=event.profile_id,
            reason=event.reason,
            failure=event.failure,
            gateway_message_id=event.gateway_message_id,
            sent_at=event.at if event.status == "sent" else None,
            delivered_at=event.at if event.status == "delivered" else None,
            read_at=event.at if event.status == "read" else None,
        )
    ]


def fold(updates: Iterable[DeliveryUpdate]) -> list[DeliveryUpdate]:
    """Merges the updates of each delivery into one. The merged updates are ordered by delivery id, so that all writers
    lock rows in the same order."""
    by_id: dict[str, DeliveryUpdate] = {}
    for update in updates:
        earlier = by_id.get(update.delivery_id)
        by_id[update.delivery_id] = update if earlier is None else merge(earlier, update)
    return [by_id[delivery_id] for delivery_id in sorted(by_id)]


def merge(first: DeliveryUpdate, second: DeliveryUpdate) -> DeliveryUpdate:
    """The update with more progress.

    If it lacks a profile, an index, a gateway message id, or the time of a status, that value comes from the other
    update.
    """
    newer, older = (second, first) if second.progress > first.progress else (first, second)
    return replace(
        newer,
        profile_id=newer.profile_id or older.profile_id,
        index=older.index if newer.index is None else newer.index,
        gateway_message_id=newer.gateway_message_id or older.gateway_message_id,
        sent_at=newer.sent_at or older.sent_at,
        delivered_at=newer.delivered_at or older.delivered_at,
        read_at=newer.read_at or older.read_at,
    )
