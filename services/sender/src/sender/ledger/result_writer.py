"""Results: what became of the claims, on their way into the ledger in groups, and from there to Kafka."""

import asyncio
from dataclasses import dataclass

from sender.core.claim_result import Fate, Settled
from sender.ledger.claim import Claim
from sender.ledger.outbox import Outbox
from sender.ledger.postgres import Ledger
from sender.ledger.row_mapping import Result
from sender.metrics import FENCED, SETTLED
from spreader.runtime.loop import Loop

GROUP_MAX = 100
IDLE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class _Waiting:
    result: Result
    written: asyncio.Future[None]


class Results:
    """A part. A result waits `group_seconds` for others; with 0, a group is what came while the last was written."""

    def __init__(self, ledger: Ledger, outbox: Outbox, group_seconds: float) -> None:
        self.name = f"results of the {ledger.lane} lane"
        self._ledger = ledger
        self._outbox = outbox
        self._group_seconds = group_seconds
        self._waiting: list[_Waiting] = []
        self._loop = Loop(self.name, self._turn)

    async def write(self, claim: Claim, fate: Fate) -> None:
        """Returns when the result is in the ledger, or another worker's claim has made it void."""
        waiting = _Waiting(Result(claim, fate), asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._loop.wake()
        await waiting.written

    async def start(self) -> None:
        await self._loop.start()

    async def stop(self) -> None:
        await self._loop.stop()
        while self._waiting:
            await self._turn()

    def not_ready_reason(self) -> str | None:
        return self._loop.not_ready_reason()

    def is_live(self) -> bool:
        return self._loop.is_live()

    async def _turn(self) -> float:
        if not self._waiting:
            return IDLE_SECONDS
        if self._group_seconds and len(self._waiting) < GROUP_MAX:
            await asyncio.sleep(self._group_seconds)
        group = self._waiting[:GROUP_MAX]
        written = await self._ledger.write([each.result for each in group])
        del self._waiting[: len(group)]
        valid = [each.result for each in group if each.result.claim.key in written]
        self._outbox.publish_soon(valid)
        self._count(valid, len(group))
        for each in group:
            if not each.written.done():
                each.written.set_result(None)
        return 0 if self._waiting else IDLE_SECONDS

    def _count(self, valid: list[Result], total: int) -> None:
        FENCED.labels(self._ledger.lane).inc(total - len(valid))
        for result in valid:
            if isinstance(result.fate, Settled):
                SETTLED.labels(self._ledger.lane, result.fate.status).inc()
