"""Answer: what a gateway said to a send, or about an earlier one."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sender.core.retry_policy import Courses, Failure


@dataclass(frozen=True, slots=True)
class Accepted:
    """None: the gateway took it and gave no id that could be read."""

    gateway_message_id: str | None


@dataclass(frozen=True, slots=True)
class Refused:
    """Surely not sent."""

    failure: Failure
    detail: str
    retry_after: timedelta | None = None
    code: str | None = None
    """The gateway's own."""
    until: datetime | None = None
    """How long the gateway says that a restriction lasts."""
    courses: Courses | None = None
    """What this code asks for, where it is not what its class does."""


@dataclass(frozen=True, slots=True)
class InDoubt:
    """The gateway may have got it: the request was written, and no answer came that says so."""

    reason: str
    can_ask: bool = True
    """Whether the gateway can be asked about it; else only its own report can tell."""


Answer = Accepted | Refused | InDoubt


@dataclass(frozen=True, slots=True)
class Found:
    gateway_message_id: str | None


@dataclass(frozen=True, slots=True)
class NotFound:
    """The gateway has not sent it."""


@dataclass(frozen=True, slots=True)
class CannotTell:
    """This gateway keeps no record that could be asked."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unreachable:
    """The gateway did not answer the question: ask again later."""

    reason: str


Finding = Found | NotFound | CannotTell | Unreachable
