"""Fact: what one event says about one delivery."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from ingress.core.status import Progress, progress, shown
from spreader.contract.events import (
    DeliveryOutcome,
    DeliveryReleased,
    Lane,
    OpenDeliveriesAssigned,
    ReplyDeliveryAssigned,
    Status,
)


@dataclass(frozen=True, slots=True)
class Fact:
    delivery_id: str
    message_id: str
    package_id: str
    lane: Lane
    recipient: str
    status: Status
    progress: Progress
    at: datetime
    profile_id: str | None = None
    index: int | None = None
    reason: str | None = None
    failure: str | None = None
    gateway_message_id: str | None = None
    sent_at: datetime | None = None


def of_open_assigned(event: OpenDeliveriesAssigned) -> list[Fact]:
    return [
        Fact(
            each.delivery_id, event.message_id, event.package_id, "open", each.recipient, "held",
            progress("held", each.attempt, None), event.requested_at, each.profile_id, each.index,
        )
        for each in event.deliveries
    ]  # fmt: skip


def of_reply_assigned(event: ReplyDeliveryAssigned) -> list[Fact]:
    return [
        Fact(
            event.delivery_id, event.message_id, event.package_id, "reply", event.recipient, "held",
            progress("held", event.attempt, None), event.requested_at, event.profile_id, 0,
        )
    ]  # fmt: skip


def of_released(event: DeliveryReleased) -> list[Fact]:
    return [
        Fact(
            event.delivery_id, event.message_id, event.package_id, "open", event.recipient, "released",
            progress("released", event.attempt, event.release), event.released_at, event.profile_id,
        )
    ]  # fmt: skip


def of_outcome(event: DeliveryOutcome) -> list[Fact]:
    return [
        Fact(
            event.delivery_id, event.message_id, event.package_id, event.lane, event.recipient, shown(event.status),
            progress(event.status, event.attempt, event.release), event.at, event.profile_id,
            reason=event.reason, failure=event.failure, gateway_message_id=event.gateway_message_id,
            sent_at=event.at if event.status == "sent" else None,
        )
    ]  # fmt: skip


def fold(facts: Iterable[Fact]) -> list[Fact]:
    """One fact for each delivery, in the order of their ids (so that writers lock rows in one order)."""
    folded: dict[str, Fact] = {}
    for fact in facts:
        known = folded.get(fact.delivery_id)
        folded[fact.delivery_id] = fact if known is None else merge(known, fact)
    return [folded[key] for key in sorted(folded)]


def merge(one: Fact, other: Fact) -> Fact:
    """What both say together: the one that came further holds, the other fills its gaps."""
    newer, older = (other, one) if other.progress > one.progress else (one, other)
    return replace(
        newer,
        profile_id=newer.profile_id or older.profile_id,
        index=older.index if newer.index is None else newer.index,
        gateway_message_id=newer.gateway_message_id or older.gateway_message_id,
        sent_at=newer.sent_at or older.sent_at,
    )
