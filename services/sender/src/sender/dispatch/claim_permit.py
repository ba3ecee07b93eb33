"""Claim permit: the permission for the call of one claim (`sender.gateways.call_permit`). It is given when the ledger
has stored that the call begins."""

import asyncio
from dataclasses import dataclass
from enum import Enum

from sender.gateways.call_permit import CallNotPermitted
from sender.ledger.call_starts import CallStarts
from sender.ledger.claim import CallStart, Claim, Stop

START_SECONDS = 5.0
"""How long the write to the ledger may take. This time is part of the time-out of the call."""


class PermitState(Enum):
    NOT_ASKED = "no request got as far as its permit"
    GIVEN = "the ledger says that the call began"
    REFUSED = "the claim is no longer valid"
    STOPPED = "the message was cancelled, or its recipient suppressed"
    FAILED = "the ledger could not be written"


@dataclass(slots=True)
class ClaimPermit:
    """`call_seconds`: how long the lease must still last when the request is written."""

    starts: CallStarts
    claim: Claim
    resent: bool
    call_seconds: float
    state: PermitState = PermitState.NOT_ASKED
    stop: Stop | None = None
    """Why the call is not permitted, if the state is STOPPED."""

    async def get(self) -> None:
        if self.state is PermitState.GIVEN:
            return  # a further request of the same send, such as the lookup after a refusal
        self.state = PermitState.FAILED
        started = await self._start()
        if started is not None and not started.claim.outlasts(self.call_seconds):
            started = await self._start()  # the process was frozen, and the lease may have ended meanwhile
        if started is None:
            self.state = PermitState.REFUSED
            raise CallNotPermitted("another worker has claimed the delivery")
        if started.stop is not None:
            self.state, self.stop = PermitState.STOPPED, started.stop
            raise CallNotPermitted(self.state.value)
        self.state = PermitState.GIVEN

    async def _start(self) -> CallStart | None:
        try:
            async with asyncio.timeout(START_SECONDS):
                return await self.starts.start(self.claim, self.resent)
        except Exception as error:
            raise CallNotPermitted(f"the ledger could not be written: {type(error).__name__}") from error
