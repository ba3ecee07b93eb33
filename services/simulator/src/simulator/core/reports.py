"""Reports: events of an account itself, such as a ban, that its gateway may report to the webhook."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

SessionStatus = Literal["working", "starting", "stopped", "linking", "unlinked", "failed"]
"""`linking`: the gateway shows a QR code. `unlinked`: the account was logged out, so somebody must link it again."""
QuotaWarning = Literal["NONE", "FIRST_WARNING", "SECOND_WARNING", "CAPPED"]
"""WhatsApp's own levels of quota use."""
QualityRating = Literal["GREEN", "YELLOW", "RED", "UNKNOWN"]


@dataclass(frozen=True, slots=True)
class SessionChanged:
    """`reason` is the code of a lost connection: 401 logged out, 403 locked, 406 banned, 408, 428, 440, 500, …"""

    status: SessionStatus
    reason: int | None = None


@dataclass(frozen=True, slots=True)
class TimeLocked:
    """WhatsApp forbids the account to open new chats before `until`. Existing chats are not affected. If `until` is
    None, the lock is over."""

    until: datetime | None
    enforcement: str = "DEFAULT"


@dataclass(frozen=True, slots=True)
class Silenced:
    """Meta forbids the business account to send anything before `until`, even replies."""

    until: datetime


@dataclass(frozen=True, slots=True)
class QuotaCounted:
    """WhatsApp's own counter of new chats."""

    total: int
    used: int
    resets_at: datetime
    warning: QuotaWarning


@dataclass(frozen=True, slots=True)
class TemporarilyBanned:
    """WhatsApp refuses the connection with 402 before `until`. `code` (101 to 106) is the reason."""

    code: int
    until: datetime


@dataclass(frozen=True, slots=True)
class QualityRated:
    """The quality of the number. The Cloud API does not report it, so Spreader must query it."""

    rating: QualityRating


@dataclass(frozen=True, slots=True)
class OptedOut:
    """A customer stopped or resumed marketing messages in WhatsApp."""

    phone: str
    resumes: bool = False


@dataclass(frozen=True, slots=True)
class AccountDisabled:
    """Meta disabled the business account, or reinstated it."""

    reinstated: bool = False


Report = (
    SessionChanged
    | TimeLocked
    | Silenced
    | QuotaCounted
    | TemporarilyBanned
    | QualityRated
    | OptedOut
    | AccountDisabled
)
