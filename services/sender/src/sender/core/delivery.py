"""Delivery: what the sender is asked to send, in either lane, as the event says it."""

from datetime import datetime

from spreader.contract.events import DeliveryReleased, Lane, ReplyDeliveryAssigned

Delivery = ReplyDeliveryAssigned | DeliveryReleased


def lane_of(delivery: Delivery) -> Lane:
    return "reply" if isinstance(delivery, ReplyDeliveryAssigned) else "open"


def generation(delivery: Delivery) -> tuple[int, int]:
    """Which time it is asked for: the attempt (a profile each), and within it the release. Higher is newer."""
    return delivery.attempt, delivery.release if isinstance(delivery, DeliveryReleased) else 0


def expires_at(delivery: Delivery) -> datetime | None:
    """From when on it is not worth sending any more."""
    return delivery.expires_at if isinstance(delivery, ReplyDeliveryAssigned) else delivery.options.expires_at


def profiles_used(delivery: Delivery) -> tuple[str, ...]:
    """The profiles that had it, the present one last."""
    return (*(tried for tried in delivery.tried if tried != delivery.profile_id), delivery.profile_id)


def quoted(delivery: Delivery) -> str | None:
    """The gateway's id of the message that a reply answers to; None where it quotes none."""
    return delivery.quote if isinstance(delivery, ReplyDeliveryAssigned) else None
