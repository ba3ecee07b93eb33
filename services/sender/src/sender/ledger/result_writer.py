"""Result writer: writes the results of claims to the ledger in groups, and hands the settled ones to the outbox."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from sender.core.claim_result import ClaimResult, SettledClaim, without_texts
from sender.ledger.claim import Claim, FinishedClaim
from sender.ledger.outbox import OutcomeOutbox
from sender.ledger.postgres import DeliveryLedger
from sender.metrics import FENCED, SETTLED, WITHOUT_TEXTS
from spreader.runtime.group_write import write_in_parts
from spreader.runtime.loop import Loop
from spreader.runtime.postgres import is_data_error, is_transient

log = structlog.get_logger()

GROUP_MAX = 100
IDLE_SECONDS = 60.0
LATE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _PendingResult:
    finished: FinishedClaim
    written: asyncio.Future[None]
    since: float = field(default_factory=time.monotonic)


class ResultWriter:
    """A component. A result waits `group_seconds` for other results, and they are written as a group. If that time is
    0, a group has the results that arrived during the last write."""

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
        """Whether a result has been waiting for long, because the database is unavailable or slow. Nothing more may be
        claimed until that result is written."""
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
        await write_in_parts(group, self._write, self._write_without_texts, is_transient)
        return 0 if self._pending else IDLE_SECONDS

    async def _write(self, part: Sequence[_PendingResult]) -> None:
        await self._store(part, [pending.finished for pending in part])

    async def _write_without_texts(self, pending: _PendingResult, error: Exception) -> None:
        """Writes the result without its texts. The delivery gets the same state as with the texts, so it is not sent
        again. Raises `error` if it is not about the data of this result."""
        if not is_data_error(error):
            raise error
        claim = pending.finished.claim
        log.error(
            "a result cannot be stored as it is; storing it without the texts of the gateway",
            delivery_id=claim.delivery.delivery_id,
            lane=self._ledger.lane,
            error=type(error).__name__,
        )
        try:
            await self._store([pending], [FinishedClaim(claim, without_texts(pending.finished.result))])
        except Exception as again:
            if not is_data_error(again):
                raise
            self._pending.remove(pending)
            if not pending.written.done():
                pending.written.set_exception(again)  # the delivery is looked up when its lease ends
        WITHOUT_TEXTS.labels(self._ledger.lane).inc()

    async def _store(self, part: Sequence[_PendingResult], results: Sequence[FinishedClaim]) -> None:
        """Writes `results`. They are the results of `part`, which is the front of the pending list. Afterwards `part`
        is no longer pending."""
        valid_keys = await self._ledger.write(results)
        del self._pending[: len(part)]
        valid = [finished for finished in results if finished.claim.key in valid_keys]
        self._outbox.publish_soon(valid)
        self._count(valid, len(results))
        for pending in part:
            if not pending.written.done():  # done: the claim's task was cancelled
                pending.written.set_result(None)

    def _count(self, valid: Sequence[FinishedClaim], total: int) -> None:
        FENCED.labels(self._ledger.lane).inc(total - len(valid))
        for finished in valid:
            if isinstance(finished.result, SettledClaim):
                SETTLED.labels(self._ledger.lane, finished.result.status).inc()
