"""Report: what a gateway says in a webhook, and which profiles this concerns. The terms are the same for all gateways.

The texts of a report are clean texts. A parser that puts a plain `str` into a report fails the type check.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from spreader.contract.events import FailureClass, Quality, Quota, Restriction, SessionState
from spreader.text.clean_text import SafeText

ReceiptStatus = Literal["acknowledged", "delivered", "read", "failed"]
IgnoredReason = Literal[
    "gateway_error", "group", "no_number", "no_news", "not_for_us", "repeated", "unknown_event"
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class MessageReceipt:
    """The new status of one of our messages.

    If the gateway returns our delivery id, `delivery_id` identifies the message. Otherwise `gateway_message_id` does.
    """

    gateway_message_id: SafeText
    status: ReceiptStatus
    at: datetime
    delivery_id: SafeText | None = None
    failure: FailureClass | None = None
    code: SafeText | None = None
    reason: SafeText | None = None


@dataclass(frozen=True, slots=True)
class Echo:
    """A report that a message went out through the gateway's API. If the sender got no response from the gateway, the
    echo proves that the message was sent."""

    gateway_message_id: SafeText
    recipient: SafeText
    at: datetime


@dataclass(frozen=True, slots=True)
class InboundMessage:
    """A customer's message to a profile. `recipient`: the customer, who is the recipient of our messages."""

    gateway_message_id: SafeText
    recipient: SafeText
    kind: SafeText
    text: SafeText | None
    at: datetime


@dataclass(frozen=True, slots=True)
class EditedMessage:
    """A customer changed the text of an earlier message. The new text may be an opt-out word, but it is not an answer.
    `gateway_message_id`: the id of the edit. If the edit has no id, it is the id of the earlier message."""

    gateway_message_id: SafeText
    recipient: SafeText
    text: SafeText | None
    at: datetime


@dataclass(frozen=True, slots=True)
class UnexpectedMessage:
    """A customer's text where a message was not expected, such as in an unknown event. The text may be an opt-out word,
    but it is not an answer."""

    gateway_message_id: SafeText
    recipient: SafeText
    text: SafeText
    at: datetime


@dataclass(frozen=True, slots=True)
class MarketingPreference:
    """A customer's choice, made in WhatsApp itself, to stop or resume a business's marketing messages."""

    recipient: SafeText
    stop: bool
    evidence: SafeText
    """Identifies this choice, so that a repeated report counts once."""
    at: datetime


@dataclass(frozen=True, slots=True)
class NumberChange:
    """A customer has a new phone number. `evidence` identifies the report, so that a repeat counts once."""

    recipient: SafeText
    new_recipient: SafeText
    evidence: SafeText
    at: datetime


@dataclass(frozen=True, slots=True)
class AccountStatusReport:
    """The state of the profile itself. A field is None if the report says nothing about it."""

    report_id: SafeText
    evidence: SafeText
    at: datetime
    session: SessionState | None = None
    quality: Quality | None = None
    restriction: Restriction | None = None
    quota: Quota | None = None
    code: SafeText | None = None


@dataclass(frozen=True, slots=True)
class Ignored:
    """A report that has no effect. A metric counts such reports by reason."""

    reason: IgnoredReason


Report = (
    MessageReceipt
    | Echo
    | InboundMessage
    | EditedMessage
    | UnexpectedMessage
    | MarketingPreference
    | NumberChange
    | AccountStatusReport
    | Ignored
)


@dataclass(frozen=True, slots=True)
class CalledProfile:
    """The profile whose webhook address was called."""


@dataclass(frozen=True, slots=True)
class ProfileByAccount:
    """The profile with this account name at the gateway."""

    account: SafeText


@dataclass(frozen=True, slots=True)
class ProfileByPhone:
    """The profile with this phone number."""

    phone: SafeText


@dataclass(frozen=True, slots=True)
class ProfilesOfHolder:
    """All profiles with the same holder as the called profile, because WhatsApp restricts them together."""


Target = CalledProfile | ProfileByAccount | ProfileByPhone | ProfilesOfHolder

CALLED_PROFILE = CalledProfile()
PROFILES_OF_HOLDER = ProfilesOfHolder()


CustomerReport = InboundMessage | EditedMessage | UnexpectedMessage | MarketingPreference
"""A report of something that a customer said or chose."""
NUMBER_UNKNOWN: SafeText = ""
"""A report has this recipient if the gateway names the customer only by a hidden id."""


@dataclass(frozen=True, slots=True)
class AddressedReport:
    """A report, and the profiles that it concerns.

    `hidden_id`: the id by which WhatsApp names the customer instead of the phone number, such as `…@lid` or a user id
    of Meta. None if the gateway gave none.
    """

    report: Report
    target: Target = CALLED_PROFILE
    hidden_id: SafeText | None = None
