"""Ending: a delivery that no profile takes any further, and what is told of it."""

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
    """`rejected`, `suppressed`: it never had a profile. `failed`: it had one, or several."""

    package_id: str
    message_id: str
    delivery_id: str
    recipient: str
    lane: Lane
    status: Literal["rejected", "suppressed", "failed"]
    reason: str
    profile_id: str | None = None
    """The last that tried it."""
    attempt: int = 1
    callback_partition: int | None = None
    """Where somebody waits for what becomes of this one delivery."""
    traceparent: str | None = None

    @classmethod
    def of_open(
        cls, request: OpenMessageRequested, recipient: str, status: Literal["rejected", "suppressed"], reason: str
    ) -> "TerminalOutcome":
        return cls(
            request.package_id, request.message_id, delivery_id(request.message_id, recipient), recipient, "open",
            status, reason, traceparent=request.traceparent,
        )  # fmt: skip

    @classmethod
    def of_reply(cls, request: ReplyMessageRequested, reason: str) -> "TerminalOutcome":
        return cls(
            request.package_id, request.message_id, delivery_id(request.message_id, request.recipient),
            request.recipient, "reply", "rejected", reason,
            callback_partition=request.callback_partition, traceparent=request.traceparent,
        )  # fmt: skip

    @classmethod
    def of_returned(cls, returned: DeliveryReturned, reason: str) -> "TerminalOutcome":
        return cls(
            returned.package_id, returned.message_id, returned.delivery_id, returned.recipient, returned.lane,
            "failed", reason, returned.tried[-1] if returned.tried else None, returned.attempt,
            returned.callback_partition if returned.lane == "reply" else None, returned.traceparent,
        )  # fmt: skip

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
