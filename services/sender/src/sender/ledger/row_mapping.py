"""Row: the columns of the ledger as values, and back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from sqlalchemy import Row

from sender.core.claim_result import Again, Doubtful, Fate, Settled
from sender.core.concurrency import Room
from sender.core.delivery import Delivery, generation
from sender.ledger.claim import Claim
from spreader.contract.events import (
    DeliveryOutcome,
    DeliveryReleased,
    DeliveryReturned,
    Event,
    ReplyDeliveryAssigned,
    ReplySettled,
)

ASKED: dict[str, type[ReplyDeliveryAssigned] | type[DeliveryReleased]] = {
    "reply": ReplyDeliveryAssigned,
    "open": DeliveryReleased,
}
TOLD: dict[str, type[Event]] = {kind.type: kind for kind in (DeliveryOutcome, DeliveryReturned, ReplySettled)}


HostOf = Callable[[str, str], str]
"""The host of a gateway, by package and profile; empty where it is not known."""


@dataclass(frozen=True, slots=True)
class Result:
    claim: Claim
    fate: Fate


def nowhere(package_id: str, profile_id: str) -> str:
    """Every profile at one host."""
    return ""


def room_columns(room: Room) -> dict[str, Any]:
    return {
        "free": room.free,
        "full": [host for host, places in room.hosts.items() if places <= 0],
        "hosts": list(room.hosts),
        "rooms": list(room.hosts.values()),
        "other": room.free if room.other is None else room.other,
    }


def claim_of(row: Row[Any], lease_until: float) -> Claim:
    delivery = ASKED[row.lane].model_validate_json(row.asked)
    if row.traceparent is not None:
        delivery = delivery.model_copy(update={"traceparent": row.traceparent})
    listed = frozenset(row.listed or ())
    return Claim(delivery, row.claim, row.tries, row.in_doubt, lease_until, row.host, row.resent, row.heard, listed)


def told_of(row: Row[Any]) -> Event:
    event = TOLD[row.type].model_validate_json(row.body)
    return event if row.traceparent is None else event.model_copy(update={"traceparent": row.traceparent})


def asked_columns(asked: Sequence[Delivery], host_of: HostOf) -> dict[str, list[Any]]:
    return {
        "hosts": [host_of(each.package_id, each.profile_id) for each in asked],
        "delivery_ids": [each.delivery_id for each in asked],
        "package_ids": [each.package_id for each in asked],
        "recipients": [each.recipient for each in asked],
        "profile_ids": [each.profile_id for each in asked],
        "attempts": [generation(each)[0] for each in asked],
        "releases": [generation(each)[1] for each in asked],
        "bodies": [each.model_dump_json(exclude_none=True) for each in asked],
        "traceparents": [each.traceparent for each in asked],
    }


def result_columns(results: Sequence[Result]) -> dict[str, list[Any]]:
    written = [_written(each.fate) for each in results]
    return {
        "delivery_ids": [each.claim.delivery.delivery_id for each in results],
        "claims": [each.claim.number for each in results],
        "states": [state for state, *_ in written],
        "waits": [wait for _, wait, *_ in written],
        "not_this_time": [isinstance(each.fate, Doubtful) and each.fate.not_this_time for each in results],
        "statuses": [status for *_, status, _ in written],
        "gateway_message_ids": [gateway_message_id for *_, gateway_message_id in written],
    }


def _written(fate: Fate) -> tuple[str, float, str | None, str | None]:
    """The row's state, the seconds until its moment, its status and the gateway's id."""
    match fate:
        case Settled(status, _, gateway_message_id):
            return "settled", 0.0, status, gateway_message_id
        case Again(after):
            return "ready", after.total_seconds(), None, None
        case Doubtful(after):  # a lease that ends then: the next one to take it asks the gateway first
            return "sending", after.total_seconds(), None, None
        case _:
            assert_never(fate)


def event_columns(results: Sequence[Result]) -> dict[str, list[Any]]:
    told = [(each.claim.key, event) for each in results if isinstance(each.fate, Settled) for event in each.fate.events]
    return {
        "delivery_ids": [delivery_id for (delivery_id, _), _ in told],
        "claims": [claim for (_, claim), _ in told],
        "types": [event.type for _, event in told],
        "bodies": [event.model_dump_json(exclude_none=True) for _, event in told],
        "traceparents": [event.traceparent for _, event in told],
    }
