"""Claim result: what a decision means for the ledger and for the other services.

Either the delivery is settled, with the events that report it, or it stays in the ledger for another claim.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal, assert_never

from sender.core.decision import (
    AskGateway,
    Cancel,
    Decision,
    Defer,
    Expire,
    Fail,
    MarkSent,
    MarkUnknown,
    RetryHere,
    ReturnToRouter,
    Suppress,
)
from sender.core.delivery import Delivery, lane_of, profiles_used
from spreader.contract.events import (
    DeliveryOutcome,
    DeliveryReleased,
    DeliveryReturned,
    Event,
    ReplyDeliveryAssigned,
    ReplySettled,
)
from spreader.text.fingerprint import fingerprint

SettledStatus = Literal["sent", "deferred", "returned", "failed", "unknown", "expired", "suppressed", "cancelled"]
"""The status of a settled delivery in the ledger. A `deferred` or `returned` delivery was certainly not sent, and may
come back with a newer release or attempt."""


FinalStatus = Literal["sent", "failed", "unknown", "expired", "suppressed", "cancelled"]

NOT_STORABLE = "the texts of this result could not be stored; the sender's log has the cause"


@dataclass(frozen=True, slots=True)
class SettledClaim:
    status: SettledStatus
    events: tuple[Event, ...]
    gateway_message_id: str | None = None


@dataclass(frozen=True, slots=True)
class RetryLater:
    """The sender itself tries the delivery again."""

    after: timedelta


@dataclass(frozen=True, slots=True)
class StillInDoubt:
    """The delivery may have been sent. The next claim asks the gateway before it does anything else."""

    after: timedelta
    last_try_not_sent: bool = False
    """Whether the last try certainly sent nothing. Then the doubt is about an earlier try."""


ClaimResult = SettledClaim | RetryLater | StillInDoubt


def claim_result(decision: Decision, delivery: Delivery, at: datetime, speed: float) -> ClaimResult:
    """`at`: system time, read after the gateway's answer. `speed`: how many times faster than wall time the system's
    clock runs."""
    match decision:
        case MarkSent(gateway_message_id):
            extra = {"gateway_message_id": gateway_message_id, "fingerprint": fingerprint(delivery.content)}
            return SettledClaim("sent", _final(delivery, "sent", at, extra=extra), gateway_message_id)
        case RetryHere(after):
            return RetryLater(after)
        case AskGateway(after, last_try_not_sent):
            return StillInDoubt(after, last_try_not_sent)
        case Defer(after):
            events = _deferred(delivery, decision, at, not_before=at + after * speed)
            return SettledClaim("deferred", events)
        case ReturnToRouter():
            return SettledClaim("returned", _returned(delivery, decision, at))
        case Fail(reason):
            return SettledClaim("failed", _final(delivery, "failed", at, reason=reason, cause=decision))
        case MarkUnknown(reason):
            return SettledClaim("unknown", _final(delivery, "unknown", at, reason=reason))
        case Expire(reason):
            return SettledClaim("expired", _final(delivery, "expired", at, reason=reason, cause=decision))
        case Suppress(reason):
            return SettledClaim("suppressed", _final(delivery, "suppressed", at, reason=reason))
        case Cancel(reason):
            return SettledClaim("cancelled", _final(delivery, "cancelled", at, reason=reason))
        case _:
            assert_never(decision)


def without_texts(result: ClaimResult) -> ClaimResult:
    """The same result without any text from outside. It is stored if the complete result cannot be stored."""
    if not isinstance(result, SettledClaim):
        return result
    plain = {"reason": NOT_STORABLE, "gateway_message_id": None, "code": None}
    events = tuple(
        event.model_copy(update={name: text for name, text in plain.items() if getattr(event, name, None) is not None})
        for event in result.events
    )
    return SettledClaim(result.status, events)


Cause = Defer | ReturnToRouter | Fail | Expire
"""A decision that contains the gateway's reason for a refusal."""
NO_EXTRA: Mapping[str, Any] = MappingProxyType({})


def _final(
    delivery: Delivery,
    status: FinalStatus,
    at: datetime,
    *,
    reason: str | None = None,
    cause: Cause | None = None,
    extra: Mapping[str, Any] = NO_EXTRA,
) -> tuple[Event, ...]:
    """The outcome of the delivery. If a caller waits for the result of a reply, a `ReplySettled` event for that
    caller's ingress comes first."""
    outcome = _outcome(delivery, status, at, reason, cause).model_copy(update=extra)
    if not isinstance(delivery, ReplyDeliveryAssigned) or delivery.callback_partition is None:
        return (outcome,)
    settled = ReplySettled(
        message_id=delivery.message_id,
        status=status,
        at=at,
        profile_id=delivery.profile_id,
        reason=delivery.reason if status == "sent" else reason,  # sent: why this profile was chosen
        failure=outcome.failure,
        callback_partition=delivery.callback_partition,
        traceparent=delivery.traceparent,
    )
    return settled, outcome


def _deferred(
    delivery: Delivery, cause: Defer | ReturnToRouter, at: datetime, not_before: datetime | None
) -> tuple[DeliveryOutcome]:
    outcome = _outcome(delivery, "deferred", at, cause.reason, cause)
    return (outcome.model_copy(update={"not_before": not_before}),)


def _outcome(
    delivery: Delivery,
    status: FinalStatus | Literal["deferred"],
    at: datetime,
    reason: str | None,
    cause: Cause | None,
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
        failure="ambiguous" if status == "unknown" else None if cause is None else cause.failure,
        code=None if cause is None else cause.code,
        until=None if cause is None else cause.until,
        traceparent=delivery.traceparent,
    )


def _returned(delivery: Delivery, cause: ReturnToRouter, at: datetime) -> tuple[Event, ...]:
    """The event that returns the delivery to the router, and an outcome. The outcome reports the refusal to stats. It
    also shows the pacer that an open delivery is no longer at the gateway."""
    returned = DeliveryReturned(
        package_id=delivery.package_id,
        message_id=delivery.message_id,
        delivery_id=delivery.delivery_id,
        recipient=delivery.recipient,
        lane=lane_of(delivery),
        content=delivery.content,
        attempt=delivery.attempt,
        tried=profiles_used(delivery),
        reason=cause.reason,
        requested_at=delivery.requested_at,
        traceparent=delivery.traceparent,
    )
    if isinstance(delivery, ReplyDeliveryAssigned):
        extra = {"expires_at": delivery.expires_at, "callback_partition": delivery.callback_partition}
    else:
        extra = {"options": delivery.options, "index": delivery.index}
    return returned.model_copy(update=extra), *_deferred(delivery, cause, at, not_before=None)
