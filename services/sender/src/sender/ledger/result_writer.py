"""Result writer: writes the results of claims to the ledger in groups, and hands the settled ones to the outbox."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sender.core.claim_result import ClaimResult, SettledClaim
from sender.ledger.claim import Claim, FinishedClaim
from sender.ledger.outbox import OutcomeOutbox
from sender.ledger.postgres import DeliveryLedger
from sender.metrics import FENCED, SETTLED
from spreader.runtime.loop import Loop

GROUP_MAX = 100
IDLE_SECONDS = 60.0
LATE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _PendingResult:
    finished: FinishedClaim
    written: asyncio.Future[None]
    since: float = field(default_factory=time.monotonic)


class ResultWriter:
    """A component. A result waits `group_seconds` for others. If that is 0, a group has the results that arrived during
    the last write."""

    def __init__(self, ledger: DeliveryLedger, outbox: OutcomeOutbox, group_seconds: float) -> None:
        self.name = f"results of the {ledger.lane} lane"
        self._ledger = ledger
        self._outbox = outbox
        self._group_seconds = group_seconds
        self._pending: list[_PendingResult] = []
        self._loop = Loop(self.name, self._write_group)

    async def write(self, claim: Claim, result: ClaimResult) -> None:
        """Returns when the result is in the ledger, or is dropped because another worker has claimed the delivery."""
        pending = _PendingResult(FinishedClaim(claim, result), asyncio.get_running_loop().create_future())
        self._pending.append(pending)
        self._loop.wake()
        await pending.written

    def is_late(self) -> bool:
        """Whether a result has been waiting for long: the database is away or slow. Nothing more may be claimed until
        it is written."""
        return bool(self._pending) and time.monotonic() - self._pending[0].since > LATE_SECONDS

    async def start(self) -> None:
        await self._loop.start()

    async def stop(self) -> None:
        await self._loop.stop()
        while self._pending:
            await self._write_group()

    def not_ready_reason(self) -> str | None:
        return self._loop.not_ready_reason()

    def failing(self) -> Mapping[str, str]:
        return self._loop.failing()

    def is_live(self) -> bool:
        return self._loop.is_live()

    async def _write_group(self) -> float:
        if not self._pending:
            return IDLE_SECONDS
        if self._group_seconds and len(self._pending) < GROUP_MAX:
            await asyncio.sleep(self._group_seconds)
        group = self._pending[:GROUP_MAX]
        valid_keys = await self._ledger.write([pending.finished for pending in group])
        del self._pending[: len(group)]
        valid = [pending.finished for pending in group if pending.finished.claim.key in valid_keys]
        self._outbox.publish_soon(valid)
        self._count(valid, len(group))
        for pending in group:
            if not pending.written.done():  # done: the claim's task was cancelled
                pending.written.set_result(None)
        return 0 if self._pending else IDLE_SECONDS

    def _count(self, valid: Sequence[FinishedClaim], total: int) -> None:
        FENCED.labels(self._ledger.lane).inc(total - len(valid))
        for finished in valid:
            if isinstance(finished.result, SettledClaim):
                SETTLED.labels(self._ledger.lane, finished.result.status).inc()
