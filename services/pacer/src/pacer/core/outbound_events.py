"""Outbound events: the event that the pacer publishes for each state of a delivery."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pacer.core.waiting_queue import HeldEvent, is_waiting_queue, profile_of
from spreader.contract.configuration import Distribution
from spreader.contract.content import CONTENT
from spreader.contract.events import DeliveryOutcome, DeliveryReleased, DeliveryReturned, Event, OpenOptions, Status


@dataclass(frozen=True, slots=True)
class UnpublishedDelivery:
    """A delivery and its message. The delivery's state has changed, and the new state is not published yet."""

    delivery_id: str
    message_id: str
    package_id: str
    profile_id: str
    recipient: str
    index: int
    attempt: int
    tried: Sequence[str]
    state: str
    reason: str | None
    release: int | None
    released_at: datetime | None
    send_by: datetime | None
    content: str
    strategy: Distribution | None
    """How the message's deliveries are shared among the profiles. None: an older version of the pacer stored the
    message."""
    options: str
    requested_at: datetime
    traceparent: str | None


def outbound_event(delivery: UnpublishedDelivery, now: datetime) -> Event:
    """Raises ValueError for a state that has no event."""
    match delivery.state:
        case "released":
            return _released(delivery)
        case "returned":
            return _returned(delivery)
        case "cancelled":
            return _ended(delivery, "cancelled", now)
        case "expired":
            return _ended(delivery, "expired", now)
        case "suppressed":
            return _ended(delivery, "suppressed", now)
        case _:
            raise ValueError(f"delivery {delivery.delivery_id}: no event is defined for state {delivery.state!r}")


def failed_event(delivery: UnpublishedDelivery, reason: str, now: datetime) -> DeliveryOutcome:
    """The outcome that replaces an event which cannot be published. This outcome ends the delivery. If the delivery was
    released, the outcome also names the release, so that the pacer settles the release.

    Raises ValueError if the row lacks even the fields of an outcome.
    """
    return _ended(replace(delivery, reason=reason), "failed", now)


def refused_events(event: HeldEvent, reason: str, now: datetime) -> Sequence[DeliveryOutcome]:
    """The outcomes that end the deliveries of an assignment which the pacer cannot store. A delivery becomes `rejected`
    if no profile has tried it, and `failed` otherwise."""
    return [
        DeliveryOutcome(
            traceparent=event.traceparent,
            package_id=event.package_id,
            message_id=event.message_id,
            delivery_id=delivery.delivery_id,
            recipient=delivery.recipient,
            lane="open",
            status="failed" if delivery.tried else "rejected",
            at=now,
            profile_id=delivery.tried[-1] if delivery.tried else None,
            attempt=delivery.attempt,
            reason=reason,
        )
        for delivery in event.deliveries
    ]


def _released(delivery: UnpublishedDelivery) -> DeliveryReleased:
    assert delivery.release is not None
    assert delivery.released_at is not None
    assert delivery.send_by is not None
    return DeliveryReleased(
        traceparent=delivery.traceparent,
        package_id=delivery.package_id,
        message_id=delivery.message_id,
        delivery_id=delivery.delivery_id,
        recipient=delivery.recipient,
        profile_id=delivery.profile_id,
        content=CONTENT.validate_json(delivery.content),
        options=OpenOptions.model_validate_json(delivery.options),
        index=delivery.index,
        requested_at=delivery.requested_at,
        attempt=delivery.attempt,
        tried=tuple(delivery.tried),
        release=delivery.release,
        released_at=delivery.released_at,
        send_by=delivery.send_by,
    )


def _returned(delivery: UnpublishedDelivery) -> DeliveryReturned:
    return DeliveryReturned(
        traceparent=delivery.traceparent,
        package_id=delivery.package_id,
        message_id=delivery.message_id,
        delivery_id=delivery.delivery_id,
        recipient=delivery.recipient,
        lane="open",
        content=CONTENT.validate_json(delivery.content),
        options=OpenOptions.model_validate_json(delivery.options),
        index=delivery.index,
        attempt=delivery.attempt,
        tried=tuple(delivery.tried),
        reason=delivery.reason or "",
        requested_at=delivery.requested_at,
        distribution=delivery.strategy if is_waiting_queue(delivery.profile_id) else None,
    )


def _ended(delivery: UnpublishedDelivery, status: Status, now: datetime) -> DeliveryOutcome:
    return DeliveryOutcome(
        traceparent=delivery.traceparent,
        package_id=delivery.package_id,
        message_id=delivery.message_id,
        delivery_id=delivery.delivery_id,
        recipient=delivery.recipient,
        lane="open",
        status=status,
        at=now,
        profile_id=profile_of(delivery.profile_id),
        attempt=delivery.attempt,
        release=delivery.release if status == "failed" else None,
        reason=delivery.reason,
    )
