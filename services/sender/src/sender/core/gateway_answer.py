"""Gateway answer: the result of a send, or of a lookup that asks whether an earlier send happened.

The texts must be clean, because the ledger stores them, and events carry them to other services.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sender.core.retry_policy import LanePolicies, RefusalClass
from spreader.text.clean_text import SafeText


@dataclass(frozen=True, slots=True)
class SendAccepted:
    gateway_message_id: SafeText | None
    """None when the gateway's response contains no readable id."""


@dataclass(frozen=True, slots=True)
class SendRefused:
    """The message was certainly not sent."""

    failure: RefusalClass
    detail: SafeText
    retry_after: timedelta | None = None
    code: SafeText | None = None
    """The gateway's own error code."""
    until: datetime | None = None
    """When a restriction ends, if the gateway says so."""
    policies: LanePolicies | None = None
    """The retry policies of this code, where they differ from those of its failure class."""


@dataclass(frozen=True, slots=True)
class SendInDoubt:
    """The request was written and no clear answer came, so the gateway may have sent the message."""

    reason: SafeText
    can_ask: bool = True
    """Whether the gateway can be asked about the delivery. If not, only a receipt from the gateway can settle the
    doubt."""


GatewayAnswer = SendAccepted | SendRefused | SendInDoubt


@dataclass(frozen=True, slots=True)
class MessageFound:
    gateway_message_id: SafeText | None
    by_text: bool = False
    """Whether the message was recognised by its recipient and text, and not by our delivery id. Then it is proof only
    if no other delivery can be meant."""


@dataclass(frozen=True, slots=True)
class MessageNotFound:
    """The gateway has not sent the delivery."""


@dataclass(frozen=True, slots=True)
class LookupUnsupported:
    """This gateway has no lookup by our delivery id, and a lookup by text has not found the message. That does not
    prove that it was not sent."""

    reason: SafeText


@dataclass(frozen=True, slots=True)
class LookupFailed:
    """The gateway did not answer the lookup. The sender repeats the lookup later."""

    reason: SafeText


LookupResult = MessageFound | MessageNotFound | LookupUnsupported | LookupFailed
