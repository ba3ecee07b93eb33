"""Lane: the deliveries of one lane that this process is sending now, and the pump that claims the next ones."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from functools import partial

import structlog

from sender.core.claim_result import Fate, Settled
from sender.core.concurrency import Room, Slots
from sender.ledger.claim import Claim
from sender.ledger.postgres import Ledger
from sender.ledger.result_writer import Results
from sender.metrics import IN_FLIGHT
from spreader.runtime.loop import Loop

log = structlog.get_logger()

LOOK_SECONDS = 0.5
"""How often the pump looks at the latest: other processes' leases end without a sign."""


class Lane:
    """A part. At most `limit` deliveries are claimed at a time, and only those are held in memory."""

    def __init__(
        self,
        ledger: Ledger,
        sending: Callable[[Claim], Awaitable[Fate]],
        results: Results,
        limit: int,
        drain_seconds: float,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self.name = f"{ledger.lane} lane"
        self._ledger = ledger
        self._sending = sending
        self._results = results
        self._slots = Slots(limit)
        self._drain_seconds = drain_seconds
        self._look_seconds = look_seconds
        self._tasks: set[asyncio.Task[None]] = set()
        self._claiming = asyncio.Lock()
        self._backlog = True
        self._pump = Loop(f"pump of the {self.name}", self.pump)

    @contextlib.asynccontextmanager
    async def slots(self) -> AsyncGenerator[Room]:
        """What may be claimed now, to one caller at a time."""
        async with self._claiming:
            yield self._slots.room()

    def begin(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            self._slots.take(claim.host)
            task = asyncio.create_task(self._carry(claim), name=f"send {claim.delivery.delivery_id}")
            self._tasks.add(task)
            task.add_done_callback(partial(self._ended, claim.host))
        IN_FLIGHT.labels(self._ledger.lane).set(len(self._tasks))

    def more_waits(self) -> None:
        """There are deliveries in the ledger that were not claimed: the pump sees to them."""
        self._backlog = True
        self._pump.wake()

    async def pump(self) -> float:
        """Claim what is due for the free slots; answers after how many seconds to look again."""
        async with self.slots() as room:
            claims = await self._ledger.claim(room)
            self.begin(claims)
        backlog = await self._ledger.backlog()
        self._backlog = backlog.due
        if claims and backlog.due:
            return 0  # those of another host may be next: one host was not given all that was free
        next_in = backlog.next_in_seconds
        return self._look_seconds if next_in is None else min(next_in, self._look_seconds)

    async def start(self) -> None:
        await self._pump.start()

    async def stop(self) -> None:
        """Claim no more, wait for the calls; what is still under way then is given back."""
        await self._pump.stop()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._drain_seconds)
        if self._tasks:
            log.warning("calls that did not end in time are given back", lane=self._ledger.lane, count=len(self._tasks))
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def not_ready_reason(self) -> str | None:
        return self._pump.not_ready_reason()

    def is_live(self) -> bool:
        return self._pump.is_live()

    async def _carry(self, claim: Claim) -> None:
        fate = await self._sending(claim)
        await self._results.write(claim, fate)
        if not isinstance(fate, Settled):
            self.more_waits()

    def _ended(self, host: str, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._slots.give_back(host)
        IN_FLIGHT.labels(self._ledger.lane).set(len(self._tasks))
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a claim was dropped; its lease will end", lane=self._ledger.lane, exc_info=error)
        if self._backlog:
            self._pump.wake()
