"""Report: what a gateway said, in our words, whichever gateway it was, and whom it is about."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from spreader.contract.events import FailureClass, Quality, Quota, Restriction, SessionState

Reached = Literal["acknowledged", "delivered", "read", "failed"]


@dataclass(frozen=True, slots=True)
class Receipt:
    """How far one of our messages has come. By the delivery's id where the wire carries it, else by the gateway's."""

    gateway_message_id: str
    status: Reached
    at: datetime
    delivery_id: str | None = None
    failure: FailureClass | None = None
    code: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Echo:
    """The gateway took a message from its API: perhaps the one of which the sender never heard an answer."""

    gateway_message_id: str
    recipient: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Words:
    """What a customer sent to a profile."""

    gateway_message_id: str
    recipient: str
    kind: str
    text: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Wish:
    """A customer told WhatsApp itself to stop a business's marketing, or to let it go on."""

    recipient: str
    stop: bool
    evidence: str
    """Names this one wish: a repeat of it counts once."""
    at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """How a profile stands at its gateway; what is None was not said."""

    report_id: str
    evidence: str
    at: datetime
    session: SessionState | None = None
    quality: Quality | None = None
    restriction: Restriction | None = None
    quota: Quota | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Nothing:
    """Taken and passed over, for this reason; it is only counted."""

    why: Literal["group", "no_number", "no_news", "not_for_us", "unknown_event"]


Said = Receipt | Echo | Words | Wish | Standing | Nothing


@dataclass(frozen=True, slots=True)
class Addressed:
    """The profile whose address was called."""


@dataclass(frozen=True, slots=True)
class Account:
    """The profile of this name at the gateway."""

    name: str


@dataclass(frozen=True, slots=True)
class Number:
    """The profile with this phone number."""

    phone: str


@dataclass(frozen=True, slots=True)
class Holder:
    """All profiles that stand or fall with the one whose address was called."""


Whom = Addressed | Account | Number | Holder

ADDRESSED = Addressed()
HOLDER = Holder()


@dataclass(frozen=True, slots=True)
class Report:
    said: Said
    whom: Whom = ADDRESSED
