"""Terminal outcome: the end of a delivery that no profile takes, and the events that report it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from spreader.contract.events import (
    DeliveryOutcome,
    DeliveryReturned,
    Event,
    Lane,
    OpenMessageRequested,
    ReplyMessageRequested,
    ReplySettled,
)
from spreader.contract.ids import delivery_id


@dataclass(frozen=True, slots=True)
class TerminalOutcome:
    """`rejected` and `suppressed`: the delivery ended when the router read its request. `failed`: the delivery was
    returned to the router, and no profile can send it."""

    package_id: str
    message_id: str
    delivery_id: str
    recipient: str
    lane: Lane
    status: Literal["rejected", "suppressed", "failed"]
    reason: str
    profile_id: str | None = None
    """The last profile that tried the delivery. None: no profile has tried it."""
    attempt: int = 1
    callback_partition: int | None = None
    """The partition of the callback topic from which the waiting caller gets the result. None: no caller waits."""
    traceparent: str | None = None

    @classmethod
    def of_open(
        cls, request: OpenMessageRequested, recipient: str, status: Literal["rejected", "suppressed"], reason: str
    ) -> "TerminalOutcome":
        return cls(
            package_id=request.package_id,
            message_id=request.message_id,
            delivery_id=delivery_id(request.message_id, recipient),
            recipient=recipient,
            lane="open",
            status=status,
            reason=reason,
            traceparent=request.traceparent,
        )

    @classmethod
    def of_reply(cls, request: ReplyMessageRequested, reason: str) -> "TerminalOutcome":
        return cls(
            package_id=request.package_id,
            message_id=request.message_id,
            delivery_id=delivery_id(request.message_id, request.recipient),
            recipient=request.recipient,
            lane="reply",
            status="rejected",
            reason=reason,
            callback_partition=request.existing_callback_partition,
            traceparent=request.traceparent,
        )

    @classmethod
    def of_returned(cls, returned: DeliveryReturned, reason: str) -> "TerminalOutcome":
        return cls(
            package_id=returned.package_id,
            message_id=returned.message_id,
            delivery_id=returned.delivery_id,
            recipient=returned.recipient,
            lane=returned.lane,
            status="failed",
            reason=reason,
            profile_id=returned.tried[-1] if returned.tried else None,
            attempt=returned.attempt,
            callback_partition=returned.callback_partition if returned.lane == "reply" else None,
            traceparent=returned.traceparent,
        )

    def events(self, at: datetime) -> list[Event]:
        outcome = DeliveryOutcome(
            traceparent=self.traceparent,
            package_id=self.package_id,
            message_id=self.message_id,
            delivery_id=self.delivery_id,
            recipient=self.recipient,
            lane=self.lane,
            status=self.status,
            at=at,
            profile_id=self.profile_id,
            attempt=self.attempt,
            reason=self.reason,
        )
        if self.callback_partition is None:
            return [outcome]
        settled = ReplySettled(
            traceparent=self.traceparent,
            callback_partition=self.callback_partition,
            message_id=self.message_id,
            status=self.status,
            at=at,
            profile_id=self.profile_id,
            reason=self.reason,
        )
        return [outcome, settled]
