"""Receipt: what a gateway said of one message, and what it makes of the delivery that is meant."""

from dataclasses import dataclass

from ingress.core.reports import Echo, Receipt
from spreader.contract.events import DeliveryOutcome, Lane


@dataclass(frozen=True, slots=True)
class Told:
    """What a gateway said of one message of a profile."""

    package_id: str
    profile_id: str
    said: Receipt | Echo

    @property
    def status(self) -> str:
        return self.said.status if isinstance(self.said, Receipt) else "sent"

    @property
    def delivery_id(self) -> str | None:
        return self.said.delivery_id if isinstance(self.said, Receipt) else None

    @property
    def recipient(self) -> str | None:
        return self.said.recipient if isinstance(self.said, Echo) else None


@dataclass(frozen=True, slots=True)
class Meant:
    """The delivery that is meant, as the status view knows it."""

    delivery_id: str
    message_id: str
    package_id: str
    lane: Lane
    recipient: str
    profile_id: str | None
    attempt: int
    traceparent: str | None = None
    """Of its message, where that has a trace."""


def is_of(told: Told, meant: Meant) -> bool:
    """Whether the delivery is this profile's: nobody speaks for another's."""
    return meant.package_id == told.package_id and meant.profile_id in (told.profile_id, None)


def outcome(told: Told, meant: Meant) -> DeliveryOutcome:
    """An echo says that it is sent, and what the gateway calls it."""
    said = told.said
    receipt = said if isinstance(said, Receipt) else None
    return DeliveryOutcome(
        traceparent=meant.traceparent,
        package_id=meant.package_id,
        message_id=meant.message_id,
        delivery_id=meant.delivery_id,
        recipient=meant.recipient,
        lane=meant.lane,
        status="sent" if receipt is None else receipt.status,
        at=said.at,
        profile_id=told.profile_id,
        attempt=meant.attempt,
        reason=receipt and receipt.reason,
        failure=receipt and receipt.failure,
        gateway_message_id=said.gateway_message_id,
        code=receipt and receipt.code,
    )
