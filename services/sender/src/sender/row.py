"""Row: the columns of the ledger as values, and back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from sqlalchemy import Row

from sender.claim import Claim
from sender.core.delivery import Delivery, generation
from sender.core.fate import Again, Doubtful, Fate, Settled
from spreader.events import (
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


@dataclass(frozen=True, slots=True)
class Result:
    claim: Claim
    fate: Fate


def claim_of(row: Row[Any], lease_until: float) -> Claim:
    delivery = ASKED[row.lane].model_validate_json(row.asked)
    if row.traceparent is not None:
        delivery = delivery.model_copy(update={"traceparent": row.traceparent})
    return Claim(delivery, row.claim, row.tries, row.in_doubt, lease_until, frozenset(row.listed or ()))


def told_of(row: Row[Any]) -> Event:
    event = TOLD[row.type].model_validate_json(row.body)
    return event if row.traceparent is None else event.model_copy(update={"traceparent": row.traceparent})


def asked_columns(asked: Sequence[Delivery]) -> dict[str, list[Any]]:
    return {
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
