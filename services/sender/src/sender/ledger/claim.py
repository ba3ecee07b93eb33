"""Claim: a sender's right to send one delivery, valid while its lease lasts."""

import time
from dataclasses import dataclass
from typing import Literal

from sender.core.claim_result import ClaimResult
from sender.core.delivery import Delivery
from spreader.contract.events import ConsentKind
from spreader.runtime.rows import column


@dataclass(frozen=True, slots=True)
class ClaimKey:
    """The claims of a delivery are numbered. A result is valid only if its claim is the newest one of the delivery."""

    delivery_id: str
    claim: int = column("int")


@dataclass(frozen=True, slots=True)
class Claim:
    delivery: Delivery
    number: int
    tries: int
    """The claims since the delivery was assigned to this profile, this claim included. An earlier claim does not count
    if its lease ended before its call began."""
    in_doubt: bool
    """Whether an earlier claim ended without a clear answer, so that the gateway may have sent the message."""
    lease_until: float
    """The end of the lease, by `time.monotonic()`. The clock was read before the statement that claims, so the lease in
    the ledger never ends earlier than this."""
    host: str = ""
    """The gateway's host when the delivery was stored."""
    resent: bool = False
    """Whether the delivery was sent again while it was in doubt, so that it may have arrived twice already."""
    reported_id: str | None = None
    """The gateway's id of the message, if the gateway has reported it. Empty: the report has no id. None: there is no
    report."""
    consents: frozenset[ConsentKind] = frozenset()
    """The recipient's consents and objections at the time of the claim (open lane only)."""
    cancelled: bool = False
    """Whether the message had been cancelled at the time of the claim."""

    @property
    def key(self) -> ClaimKey:
        return ClaimKey(self.delivery.delivery_id, self.number)

    def outlasts(self, seconds: float) -> bool:
        """Whether the lease lasts longer than `seconds` from now."""
        return time.monotonic() + seconds < self.lease_until


@dataclass(frozen=True, slots=True)
class StartingCall:
    """A claim whose call is about to begin. `resent`: whether an earlier call may have sent the delivery."""

    claim: Claim
    resent: bool


Stop = Literal["erased", "cancelled", "suppressed"]
"""Why a call must not begin. Since the claim, the recipient was erased, the message was cancelled, or the recipient was
suppressed."""


@dataclass(frozen=True, slots=True)
class CallStart:
    """What the ledger says about a call that is about to begin. `claim` has a new lease. `stop`: why the call must not
    begin. None: it begins."""

    claim: Claim
    stop: Stop | None


@dataclass(frozen=True, slots=True)
class FinishedClaim:
    """A claim with its result, to be written to the ledger."""

    claim: Claim
    result: ClaimResult
