"""Delivery rows: the rows of the ledger's statements, converted from and to deliveries, claims, results and events."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_never

from sender.core.claim_result import ClaimResult, RetryLater, SettledClaim, StillInDoubt
from sender.core.delivery import Delivery, generation
from sender.core.slot_pool import FreeSlots
from sender.ledger.claim import Claim, ClaimKey, FinishedClaim, StartingCall, Stop
from spreader.contract.events import (
    ConsentKind,
    DeliveryOutcome,
    DeliveryReleased,
    DeliveryReturned,
    Event,
    Lane,
    ReplyDeliveryAssigned,
    ReplySettled,
)
from spreader.runtime.rows import arrays, column

DELIVERY_TYPES: dict[Lane, type[ReplyDeliveryAssigned] | type[DeliveryReleased]] = {
    "reply": ReplyDeliveryAssigned,
    "open": DeliveryReleased,
}
EVENT_TYPES: dict[str, type[Event]] = {kind.type: kind for kind in (DeliveryOutcome, DeliveryReturned, ReplySettled)}

HostOf = Callable[[str, str], str]
"""Returns the gateway host of a package's profile; empty if it is unknown."""


def no_host(package_id: str, profile_id: str) -> str:
    """A `HostOf` that puts all profiles on one host."""
    return ""


@dataclass(frozen=True, slots=True)
class NewDeliveryRow:
    """A delivery to store."""

    delivery_id: str
    message_id: str
    package_id: str
    recipient: str
    profile_id: str
    host: str
    release: int
    body: str
    traceparent: str | None
    position: int
    """Its place in the batch. Replies to one recipient are sent in this order."""
    requested_at: datetime
    attempt: int = column("int")


@dataclass(frozen=True, slots=True)
class HostSlotsRow:
    """How many more deliveries of a host may be claimed."""

    host: str
    slots: int = column("int")


@dataclass(frozen=True, slots=True)
class ClaimRow:
    """A delivery that has just been claimed. `asked`: the event by which the sender received it. `heard`: the same as
    `Claim.reported_id`."""

    lane: Lane
    asked: str
    traceparent: str | None
    claim: int
    tries: int
    host: str
    resent: bool
    heard: str | None
    in_doubt: bool
    cancelled: bool
    consents: list[ConsentKind] | None


@dataclass(frozen=True, slots=True)
class StartRow:
    """A claim whose call is about to begin."""

    delivery_id: str
    message_id: str
    resent: bool
    claim: int = column("int")


@dataclass(frozen=True, slots=True)
class CallStartRow:
    """A valid claim whose call begins, or does not begin because of `stop`."""

    delivery_id: str
    claim: int
    stop: Stop | None

    @property
    def key(self) -> ClaimKey:
        return ClaimKey(self.delivery_id, self.claim)


@dataclass(frozen=True, slots=True)
class ResultRow:
    """The new state of a claimed delivery. `wait`: seconds until it is due again (0 if it is settled). `definite`:
    whether it is certain that the delivery was sent, or that it was not sent."""

    delivery_id: str
    state: str
    wait: float
    status: str | None
    gateway_message_id: str | None
    last_try_not_sent: bool
    definite: bool
    claim: int = column("int")


@dataclass(frozen=True, slots=True)
class NewEventRow:
    """An event of a settled delivery, to be stored with the result. Its fields have other names than those of
    `ResultRow`, because one statement reads both."""

    event_of: str
    event_type: str
    event_body: str
    event_traceparent: str | None
    event_claim: int = column("int")


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event of a settled delivery that is to be published."""

    delivery_id: str
    type: str
    body: str
    traceparent: str | None
    claim: int = column("int")

    @property
    def key(self) -> ClaimKey:
        return ClaimKey(self.delivery_id, self.claim)


def delivery_row(delivery: Delivery, host_of: HostOf, position: int) -> NewDeliveryRow:
    attempt, release = generation(delivery)
    return NewDeliveryRow(
        delivery_id=delivery.delivery_id,
        message_id=delivery.message_id,
        package_id=delivery.package_id,
        recipient=delivery.recipient,
        profile_id=delivery.profile_id,
        host=host_of(delivery.package_id, delivery.profile_id),
        attempt=attempt,
        release=release,
        body=delivery.model_dump_json(exclude_none=True),
        traceparent=delivery.traceparent,
        position=position,
        requested_at=delivery.requested_at,
    )


def slot_params(free: FreeSlots) -> dict[str, Any]:
    """The parameters by which a claim respects the free slots of each host."""
    return {
        "free": free.total,
        "full": [host for host, slots in free.by_host.items() if slots <= 0],
        "other": free.total if free.other_host is None else free.other_host,
        **arrays(HostSlotsRow, [HostSlotsRow(host, slots) for host, slots in free.by_host.items()]),
    }


def claim_of(row: ClaimRow, lease_until: float) -> Claim:
    delivery = DELIVERY_TYPES[row.lane].model_validate_json(row.asked)
    if row.traceparent is not None:
        delivery = delivery.model_copy(update={"traceparent": row.traceparent})
    return Claim(
        delivery=delivery,
        number=row.claim,
        tries=row.tries,
        in_doubt=row.in_doubt,
        lease_until=lease_until,
        host=row.host,
        resent=row.resent,
        reported_id=row.heard,
        consents=frozenset(row.consents or ()),
        cancelled=row.cancelled,
    )


def start_row(starting: StartingCall) -> StartRow:
    delivery = starting.claim.delivery
    return StartRow(delivery.delivery_id, delivery.message_id, starting.resent, starting.claim.number)


def result_row(finished: FinishedClaim) -> ResultRow:
    delivery_id, number = finished.claim.delivery.delivery_id, finished.claim.number
    definite = is_definite(finished.result)
    match finished.result:
        case SettledClaim(status, _, gateway_message_id):
            return ResultRow(delivery_id, "settled", 0.0, status, gateway_message_id, False, definite, number)
        case RetryLater(after):
            return ResultRow(delivery_id, "ready", after.total_seconds(), None, None, False, definite, number)
        case StillInDoubt(after, last_try_not_sent):
            # This row looks as if a lease ended at that time. So the next claim finds the delivery in doubt and asks
            # the gateway first.
            wait = after.total_seconds()
            return ResultRow(delivery_id, "sending", wait, None, None, last_try_not_sent, definite, number)
        case _:
            assert_never(finished.result)


def is_definite(result: ClaimResult) -> bool:
    """Whether the result is certain: the delivery was certainly sent, or it was certainly not sent."""
    match result:
        case SettledClaim(status):
            return status != "unknown"
        case RetryLater():
            return True
        case StillInDoubt():
            return False
        case _:
            assert_never(result)


def event_rows(results: Sequence[FinishedClaim]) -> Iterator[NewEventRow]:
    for finished in results:
        if isinstance(finished.result, SettledClaim):
            delivery_id, number = finished.claim.delivery.delivery_id, finished.claim.number
            for event in finished.result.events:
                body = event.model_dump_json(exclude_none=True)
                yield NewEventRow(delivery_id, event.type, body, event.traceparent, number)


def event_of(row: EventRow) -> Event:
    event = EVENT_TYPES[row.type].model_validate_json(row.body)
    return event if row.traceparent is None else event.model_copy(update={"traceparent": row.traceparent})
