"""News: what the pacer has to tell the others of a delivery, by the state that it is in."""

from dataclasses import dataclass
from datetime import datetime

from spreader.contract.content import CONTENT
from spreader.contract.events import DeliveryOutcome, DeliveryReleased, DeliveryReturned, Event, OpenOptions, Status


@dataclass(frozen=True, slots=True)
class Changed:
    """A delivery whose present state has not been told yet, with its message."""

    delivery_id: str
    message_id: str
    package_id: str
    profile_id: str
    recipient: str
    index: int
    attempt: int
    tried: tuple[str, ...]
    state: str
    reason: str | None
    release: int | None
    released_at: datetime | None
    send_by: datetime | None
    content: str
    options: str
    requested_at: datetime
    traceparent: str | None


def news(changed: Changed, now: datetime) -> Event:
    """The event that tells it; raises ValueError for a state that nobody waits to hear of."""
    match changed.state:
        case "released":
            return _released(changed)
        case "returned":
            return _returned(changed)
        case "cancelled":
            return _ended(changed, "cancelled", now)
        case "expired":
            return _ended(changed, "expired", now)
        case "suppressed":
            return _ended(changed, "suppressed", now)
        case _:
            raise ValueError(f"delivery {changed.delivery_id} is {changed.state}: there is no news of that")


def _released(changed: Changed) -> DeliveryReleased:
    assert changed.release is not None
    assert changed.released_at is not None
    assert changed.send_by is not None
    return DeliveryReleased(
        traceparent=changed.traceparent,
        package_id=changed.package_id,
        message_id=changed.message_id,
        delivery_id=changed.delivery_id,
        recipient=changed.recipient,
        profile_id=changed.profile_id,
        content=CONTENT.validate_json(changed.content),
        options=OpenOptions.model_validate_json(changed.options),
        index=changed.index,
        requested_at=changed.requested_at,
        attempt=changed.attempt,
        tried=changed.tried,
        release=changed.release,
        released_at=changed.released_at,
        send_by=changed.send_by,
    )


def _returned(changed: Changed) -> DeliveryReturned:
    return DeliveryReturned(
        traceparent=changed.traceparent,
        package_id=changed.package_id,
        message_id=changed.message_id,
        delivery_id=changed.delivery_id,
        recipient=changed.recipient,
        lane="open",
        content=CONTENT.validate_json(changed.content),
        options=OpenOptions.model_validate_json(changed.options),
        index=changed.index,
        attempt=changed.attempt,
        tried=changed.tried,
        reason=changed.reason or "",
        requested_at=changed.requested_at,
    )


def _ended(changed: Changed, status: Status, now: datetime) -> DeliveryOutcome:
    return DeliveryOutcome(
        traceparent=changed.traceparent,
        package_id=changed.package_id,
        message_id=changed.message_id,
        delivery_id=changed.delivery_id,
        recipient=changed.recipient,
        lane="open",
        status=status,
        at=now,
        profile_id=changed.profile_id,
        attempt=changed.attempt,
        reason=changed.reason,
    )
