"""Receipt: a gateway's report on one message, and the outcome that it gives to the matching delivery."""

from dataclasses import dataclass
from datetime import datetime

from ingress.core.reports import Echo, MessageReceipt
from spreader.contract.events import DeliveryOutcome, Lane


@dataclass(frozen=True, slots=True)
class ProfileReceipt:
    """A receipt or an echo, with the profile that reported it."""

    package_id: str
    profile_id: str
    report: MessageReceipt | Echo
    hidden_id: str | None = None
    """The hidden id of the recipient. None if the gateway gave no hidden id."""

    @property
    def status(self) -> str:
        return self.report.status if isinstance(self.report, MessageReceipt) else "sent"

    @property
    def delivery_id(self) -> str | None:
        return self.report.delivery_id if isinstance(self.report, MessageReceipt) else None

    @property
    def recipient(self) -> str | None:
        return self.report.recipient if isinstance(self.report, Echo) else None


@dataclass(frozen=True, slots=True)
class MatchedDelivery:
    """The delivery that a receipt concerns, as the status projection has it."""

    delivery_id: str
    message_id: str
    package_id: str
    lane: Lane
    recipient: str
    profile_id: str | None
    attempt: int
    sent_at: datetime | None
    """When the gateway accepted the message. None if this time is not known yet."""
    traceparent: str | None
    """The trace of the delivery's message, or None if the message has no trace."""


def is_of_profile(receipt: ProfileReceipt, delivery: MatchedDelivery) -> bool:
    """Whether the reporting profile may change the delivery. The delivery must belong to this profile, or to no profile
    yet."""
    return delivery.package_id == receipt.package_id and delivery.profile_id in (receipt.profile_id, None)


def outcome_of(receipt: ProfileReceipt, delivery: MatchedDelivery) -> DeliveryOutcome:
    """The outcome to publish. The outcome of an echo has the status `sent` and the gateway's message id."""
    report = receipt.report
    details = report if isinstance(report, MessageReceipt) else None
    return DeliveryOutcome(
        traceparent=delivery.traceparent,
        package_id=delivery.package_id,
        message_id=delivery.message_id,
        delivery_id=delivery.delivery_id,
        recipient=delivery.recipient,
        lane=delivery.lane,
        status="sent" if details is None else details.status,
        at=report.at,
        profile_id=receipt.profile_id,
        attempt=delivery.attempt,
        reason=details and details.reason,
        failure=details and details.failure,
        gateway_message_id=report.gateway_message_id,
        code=details and details.code,
        sent_at=delivery.sent_at,
    )
