"""Report: something that happened to an account itself, apart from any send, which its gateway may tell."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

SessionStatus = Literal["working", "starting", "stopped", "unlinked", "failed"]
"""`unlinked`: a person must scan a code again."""
Warning_ = Literal["NONE", "FIRST_WARNING", "SECOND_WARNING", "CAPPED"]
"""How WhatsApp itself says how much of the quota is used."""
Rating = Literal["GREEN", "YELLOW", "RED", "UNKNOWN"]


@dataclass(frozen=True, slots=True)
class SessionChanged:
    """`reason` is the code of a lost connection: 401 logged out, 403 locked, 406 banned, 408, 428, 440, 500, …"""

    status: SessionStatus
    reason: int | None = None


@dataclass(frozen=True, slots=True)
class TimeLocked:
    """No new chats until a moment; None: the lock is over. Chats with who knows the account go on."""

    until: datetime | None
    enforcement: str = "DEFAULT"


@dataclass(frozen=True, slots=True)
class Silenced:
    """The business account may not even answer until a moment."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Counted:
    """WhatsApp's own counter of new chats."""

    total: int
    used: int
    resets_at: datetime
    warning: Warning_


@dataclass(frozen=True, slots=True)
class TemporarilyBanned:
    """The connection is refused with 402 until a moment. `code`: 101 to 106, why."""

    code: int
    until: datetime


@dataclass(frozen=True, slots=True)
class Rated:
    """The quality of the number. Cloud API: found by asking, never told."""

    rating: Rating


@dataclass(frozen=True, slots=True)
class OptedOut:
    """A customer told WhatsApp to stop (or resume) marketing."""

    phone: str
    resumes: bool = False


@dataclass(frozen=True, slots=True)
class Disabled:
    """Meta disabled the business account, or reinstated it."""

    reinstated: bool = False


Report = SessionChanged | TimeLocked | Silenced | Counted | TemporarilyBanned | Rated | OptedOut | Disabled
