"""Delivery: what the sender has to send. It has no class of its own, because a delivery is the event that brought it to
the sender. Each lane has its own type of event."""

from datetime import datetime

from spreader.contract.events import DeliveryReleased, Lane, ReplyDeliveryAssigned

Delivery = ReplyDeliveryAssigned | DeliveryReleased


def lane_of(delivery: Delivery) -> Lane:
    return "reply" if isinstance(delivery, ReplyDeliveryAssigned) else "open"


def generation(delivery: Delivery) -> tuple[int, int]:
    """The attempt and the number of the profile's release (0 for a reply). Of two events for the same delivery, the one
    with the higher pair is newer."""
    return delivery.attempt, delivery.release if isinstance(delivery, DeliveryReleased) else 0


def expires_at(delivery: Delivery) -> datetime | None:
    """The time from which the delivery must not be sent any more; None if it never expires."""
    return delivery.expires_at if isinstance(delivery, ReplyDeliveryAssigned) else delivery.options.expires_at


def profiles_used(delivery: Delivery) -> tuple[str, ...]:
    """The profiles of all attempts, the current one last."""
    return (*(tried for tried in delivery.tried if tried != delivery.profile_id), delivery.profile_id)


def quoted_message_id(delivery: Delivery) -> str | None:
    """The gateway's id of the message that a reply quotes; None if it quotes none."""
    return delivery.quote if isinstance(delivery, ReplyDeliveryAssigned) else None
