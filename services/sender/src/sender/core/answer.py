"""Answer: what a gateway said to a send, or about an earlier one."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

Failure = Literal["transient", "throttled", "profile", "recipient", "content", "gateway"]
"""Why a delivery was surely not sent: the failure classes of GATEWAYS.md, without the ambiguous one.

`transient` passes by itself; `throttled` asks for patience; `profile`, `recipient` and `content` name who is to blame;
`gateway`: it is away or refuses our key, so no other profile there would fare better.
"""


@dataclass(frozen=True, slots=True)
class Accepted:
    gateway_message_id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Surely not sent."""

    failure: Failure
    detail: str
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class InDoubt:
    """The gateway may have got it: the request was written, and no answer came that says so."""

    reason: str


Answer = Accepted | Refused | InDoubt


@dataclass(frozen=True, slots=True)
class Found:
    gateway_message_id: str


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
