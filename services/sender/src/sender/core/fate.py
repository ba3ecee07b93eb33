"""Fate: what a decision makes of a delivery: it is settled, with the events that tell it, or it comes again."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, assert_never

from sender.core.delivery import Delivery, lane_of, profiles_used
from sender.core.settle import (
    AskAgain,
    Decision,
    Defer,
    Expire,
    Fail,
    RetryHere,
    ReturnElsewhere,
    Sent,
    Suppress,
    Unknown,
)
from spreader.events import (
    DeliveryOutcome,
    DeliveryReleased,
    DeliveryReturned,
    Event,
    FailureClass,
    ReplyDeliveryAssigned,
    ReplySettled,
)

Status = Literal["sent", "deferred", "returned", "failed", "unknown", "expired", "suppressed"]
"""How a delivery stands in the ledger. `deferred` and `returned` were surely not sent: they may be asked for again."""


@dataclass(frozen=True, slots=True)
class Settled:
    status: Status
    events: tuple[Event, ...]
    gateway_message_id: str | None = None


@dataclass(frozen=True, slots=True)
class Again:
    """The sender itself tries again."""

    after: timedelta


@dataclass(frozen=True, slots=True)
class Doubtful:
    """The sender asks the gateway before it does anything else."""

    after: timedelta


Fate = Settled | Again | Doubtful


def fate(decision: Decision, delivery: Delivery, at: datetime, speed: float) -> Fate:
    """`at`: the system's time after the answer; `speed`: how fast that time runs beside the machine's."""
    match decision:
        case Sent(gateway_message_id):
            events = _final(delivery, "sent", at, gateway_message_id=gateway_message_id)
            return Settled("sent", events, gateway_message_id)
        case RetryHere(after):
            return Again(after)
        case AskAgain(after):
            return Doubtful(after)
        case Defer(after, reason, failure):
            not_before = at + after * speed
            deferred = _outcome(delivery, "deferred", at, reason=reason, failure=failure, not_before=not_before)
            return Settled("deferred", (deferred,))
        case ReturnElsewhere(reason, failure):
            return Settled("returned", _returned(delivery, at, reason, failure))
        case Fail(reason, failure):
            return Settled("failed", _final(delivery, "failed", at, reason=reason, failure=failure))
        case Unknown(reason):
            return Settled("unknown", _final(delivery, "unknown", at, reason=reason, failure="ambiguous"))
        case Expire(reason, failure):
            return Settled("expired", _final(delivery, "expired", at, reason=reason, failure=failure))
        case Suppress(reason):
            return Settled("suppressed", _final(delivery, "suppressed", at, reason=reason))
        case _:
            assert_never(decision)


def _final(
    delivery: Delivery,
    status: Literal["sent", "failed", "unknown", "expired", "suppressed"],
    at: datetime,
    *,
    reason: str | None = None,
    failure: FailureClass | None = None,
    gateway_message_id: str | None = None,
) -> tuple[Event, ...]:
    """The outcome, and the callback for whoever waits for a reply."""
    outcome = _outcome(delivery, status, at, reason=reason, failure=failure, gateway_message_id=gateway_message_id)
    if not isinstance(delivery, ReplyDeliveryAssigned) or delivery.callback_partition is None:
        return (outcome,)
    settled = ReplySettled(
        message_id=delivery.message_id,
        status=status,
        at=at,
        profile_id=delivery.profile_id,
        reason=delivery.reason if status == "sent" else reason,  # sent: why through this profile
        failure=failure,
        callback_partition=delivery.callback_partition,
        traceparent=delivery.traceparent,
    )
    return settled, outcome


def _outcome(
    delivery: Delivery,
    status: Literal["sent", "failed", "unknown", "expired", "suppressed", "deferred"],
    at: datetime,
    *,
    reason: str | None = None,
    failure: FailureClass | None = None,
    gateway_message_id: str | None = None,
    not_before: datetime | None = None,
) -> DeliveryOutcome:
    return DeliveryOutcome(
        package_id=delivery.package_id,
        message_id=delivery.message_id,
        delivery_id=delivery.delivery_id,
        recipient=delivery.recipient,
        lane=lane_of(delivery),
        status=status,
        at=at,
        profile_id=delivery.profile_id,
        attempt=delivery.attempt,
        release=delivery.release if isinstance(delivery, DeliveryReleased) else None,
        reason=reason,
        failure=failure,
        gateway_message_id=gateway_message_id,
        not_before=not_before,
        traceparent=delivery.traceparent,
    )


def _returned(delivery: Delivery, at: datetime, reason: str, failure: FailureClass) -> tuple[Event, ...]:
    """Back to the router; and where the pacer counts it as being at the gateway, it learns that it is not."""
    returned = DeliveryReturned(
        package_id=delivery.package_id,
        message_id=delivery.message_id,
        delivery_id=delivery.delivery_id,
        recipient=delivery.recipient,
        lane=lane_of(delivery),
        content=delivery.content,
        attempt=delivery.attempt,
        tried=profiles_used(delivery),
        reason=reason,
        requested_at=delivery.requested_at,
        traceparent=delivery.traceparent,
    )
    if isinstance(delivery, ReplyDeliveryAssigned):
        more = {"expires_at": delivery.expires_at, "callback_partition": delivery.callback_partition}
        return (returned.model_copy(update=more),)
    returned = returned.model_copy(update={"options": delivery.options, "index": delivery.index})
    return returned, _outcome(delivery, "deferred", at, reason=reason, failure=failure)
