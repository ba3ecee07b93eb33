"""Gateway answer: the result of a send, or of a lookup whether an earlier send happened."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sender.core.retry_policy import LanePolicies, RefusalClass


@dataclass(frozen=True, slots=True)
class SendAccepted:
    gateway_message_id: str | None
    """None when the gateway's response contains no readable id."""


@dataclass(frozen=True, slots=True)
class SendRefused:
    """The message was certainly not sent."""

    failure: RefusalClass
    detail: str
    retry_after: timedelta | None = None
    code: str | None = None
    """The gateway's own error code."""
    until: datetime | None = None
    """When a restriction ends, if the gateway says so."""
    policies: LanePolicies | None = None
    """The retry policies of this code, where they differ from those of its failure class."""


@dataclass(frozen=True, slots=True)
class SendInDoubt:
    """The request was written and no clear answer came: the gateway may have sent the message."""

    reason: str
    can_ask: bool = True
    """Whether the gateway can be asked about the delivery. If not, only a receipt from the gateway can settle the
    doubt."""


GatewayAnswer = SendAccepted | SendRefused | SendInDoubt


@dataclass(frozen=True, slots=True)
class MessageFound:
    gateway_message_id: str | None


@dataclass(frozen=True, slots=True)
class MessageNotFound:
    """The gateway has not sent the delivery."""


@dataclass(frozen=True, slots=True)
class LookupUnsupported:
    """This gateway has no lookup by our delivery id."""

    reason: str


@dataclass(frozen=True, slots=True)
class LookupFailed:
    """The gateway did not answer the lookup. It is repeated later."""

    reason: str


LookupResult = MessageFound | MessageNotFound | LookupUnsupported | LookupFailed
