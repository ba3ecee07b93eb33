"""Fate: what a decision makes of a delivery: it is settled, with the events that tell it, or it comes again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal, assert_never

from sender.core.decision import (
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
    not_this_time: bool = False
    """The last call surely sent nothing."""


Fate = Settled | Again | Doubtful


def fate(decision: Decision, delivery: Delivery, at: datetime, speed: float) -> Fate:
    """`at`: the system's time after the answer; `speed`: how fast that time runs beside the machine's."""
    match decision:
        case Sent(gateway_message_id):
            more = {"gateway_message_id": gateway_message_id, "fingerprint": fingerprint(delivery.content)}
            return Settled("sent", _final(delivery, "sent", at, more=more), gateway_message_id)
        case RetryHere(after):
            return Again(after)
        case AskAgain(after, not_this_time):
            return Doubtful(after, not_this_time)
        case Defer(after, reason):
            events = _deferred(delivery, decision, at, not_before=at + after * speed)
            return Settled("deferred", events)
        case ReturnElsewhere():
            return Settled("returned", _returned(delivery, decision, at))
        case Fail(reason):
            return Settled("failed", _final(delivery, "failed", at, reason=reason, cause=decision))
        case Unknown(reason):
            return Settled("unknown", _final(delivery, "unknown", at, reason=reason))
        case Expire(reason):
            return Settled("expired", _final(delivery, "expired", at, reason=reason, cause=decision))
        case Suppress(reason):
            return Settled("suppressed", _final(delivery, "suppressed", at, reason=reason))
        case _:
            assert_never(decision)


Cause = Defer | ReturnElsewhere | Fail | Expire
"""A decision that tells why the gateway refused."""
NOTHING_MORE: Mapping[str, Any] = MappingProxyType({})


def _final(
    delivery: Delivery,
    status: Literal["sent", "failed", "unknown", "expired", "suppressed"],
    at: datetime,
    *,
    reason: str | None = None,
    cause: Cause | None = None,
    more: Mapping[str, Any] = NOTHING_MORE,
) -> tuple[Event, ...]:
    """The outcome, and the callback for whoever waits for a reply."""
    outcome = _outcome(delivery, status, at, reason, cause).model_copy(update=more)
    if not isinstance(delivery, ReplyDeliveryAssigned) or delivery.callback_partition is None:
        return (outcome,)
    settled = ReplySettled(
        message_id=delivery.message_id,
        status=status,
        at=at,
        profile_id=delivery.profile_id,
        reason=delivery.reason if status == "sent" else reason,  # sent: why through this profile
        failure=outcome.failure,
        callback_partition=delivery.callback_partition,
        traceparent=delivery.traceparent,
    )
    return settled, outcome


def _deferred(
    delivery: Delivery, cause: Defer | ReturnElsewhere, at: datetime, not_before: datetime | None
) -> tuple[DeliveryOutcome]:
    outcome = _outcome(delivery, "deferred", at, cause.reason, cause)
    return (outcome.model_copy(update={"not_before": not_before}),)


def _outcome(
    delivery: Delivery,
    status: Literal["sent", "failed", "unknown", "expired", "suppressed", "deferred"],
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


def _returned(delivery: Delivery, cause: ReturnElsewhere, at: datetime) -> tuple[Event, ...]:
    """Back to the router. The outcome beside it tells the stats what befell the profile, and the pacer that an open
    delivery is not at the gateway any more."""
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
        more = {"expires_at": delivery.expires_at, "callback_partition": delivery.callback_partition}
    else:
        more = {"options": delivery.options, "index": delivery.index}
    return returned.model_copy(update=more), *_deferred(delivery, cause, at, not_before=None)
