"""Dispatcher: takes one lane's deliveries from Kafka into the ledger, claims those that are due, and sends them."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from functools import partial

import structlog

from sender.core.claim_result import ClaimResult, SettledClaim
from sender.core.delivery import Delivery
from sender.core.slot_pool import NO_SLOTS, FreeSlots, SlotPool
from sender.ledger.claim import Claim
from sender.ledger.postgres import DeliveryLedger, NotToClaim
from sender.ledger.result_writer import ResultWriter
from sender.metrics import IN_FLIGHT
from spreader.contract.events import Lane
from spreader.kafka.guarded_consumer import Received
from spreader.runtime.loop import BACK_OFF_MAX_SECONDS, Loop

log = structlog.get_logger()

LOOK_SECONDS: Mapping[Lane, float] = {"reply": 1.0, "open": 3.0}
"""The longest time between two looks into the ledger. A look also reads when the next delivery will be due, and the
process looks again at that time. So this longest time matters only for a delivery that another process has stored
since, and cannot send because it has no free slot or has died."""
LEASE_CLOCKS_SECONDS = 1.0
"""By how much the clocks of this process and of the database may disagree about the end of a lease."""
TAKE_OVER_PAUSE_SECONDS = BACK_OFF_MAX_SECONDS + 1
"""After an error of the database, this process does not take over deliveries of other processes for this time. The
other processes were without the database as well, and this time lets them write their results first."""


class Dispatcher:
    """A component. It claims at most `limit` deliveries at a time, and holds no others in memory."""

    def __init__(
        self,
        ledger: DeliveryLedger,
        send: Callable[[Claim], Awaitable[ClaimResult]],
        results: ResultWriter,
        limit: int,
        drain_seconds: float,
        look_seconds: float | None = None,
    ) -> None:
        self.name = f"{ledger.lane} lane"
        self._ledger = ledger
        self._send = send
        self._results = results
        self._slots = SlotPool(limit)
        self._drain_seconds = drain_seconds
        self._look_seconds = LOOK_SECONDS[ledger.lane] if look_seconds is None else look_seconds
        self._tasks: set[asyncio.Task[None]] = set()
        self._sending: dict[str, Claim] = {}
        """The claims whose results are not written yet, by delivery id."""
        self._take_over_from = 0.0
        self._claim_lock = asyncio.Lock()
        self._more_due = True
        """Whether a due delivery may be waiting for a slot. If so, the end of a send wakes the loop."""
        self._loop = Loop(f"pump of the {self.name}", self.claim_due)

    async def on_deliveries(self, batch: Sequence[Received[Delivery]]) -> None:
        """Stores a batch and begins as many sends as slots are free. The sends continue after this returns."""
        async with self._free_slots() as free:
            taken = await self._ledger.take_in(batch, free, self._not_to_claim())
            self._start_sends(taken.claims)
        if taken.waiting:
            self._wake()

    async def claim_due(self) -> float:
        """Claims due deliveries, up to the number of free slots; returns the seconds until the next look."""
        try:
            work = await self._ledger.due_work()
            self._more_due = work.due_now
            if work.due_now and await self._claim():
                return 0  # look again at once, because one look gives a host only a part of the free slots
        except Exception:
            self._take_over_from = time.monotonic() + TAKE_OVER_PAUSE_SECONDS
            raise
        next_in = work.next_in_seconds
        return self._look_seconds if next_in is None else min(next_in, self._look_seconds)

    async def _claim(self) -> bool:
        """Claims due deliveries and begins to send them. Returns whether it claimed any."""
        async with self._free_slots() as free:
            claims = await self._ledger.claim(free, self._not_to_claim())
            self._start_sends(claims)
        return bool(claims)

    async def start(self) -> None:
        await self._loop.start()

    async def stop(self) -> None:
        """Claims nothing more, and waits for the running sends. After `drain_seconds` it cancels the sends that still
        run.

        Another sender continues a cancelled send. If its call had begun, that sender asks the gateway first.
        """
        await self._loop.stop()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._drain_seconds)
        if self._tasks:
            log.warning(
                "sends did not end before shutdown and are cancelled; another sender continues them",
                lane=self._ledger.lane,
                count=len(self._tasks),
            )
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def not_ready_reason(self) -> str | None:
        return self._loop.not_ready_reason()

    def failing(self) -> Mapping[str, str]:
        return self._loop.failing()

    def is_live(self) -> bool:
        return self._loop.is_live()

    @contextlib.asynccontextmanager
    async def _free_slots(self) -> AsyncGenerator[FreeSlots]:
        """Only one caller at a time may claim, because a claim takes its slot only when its send begins. While results
        wait for the database, there are no free slots, because those results must be written first."""
        async with self._claim_lock:
            yield NO_SLOTS if self._results.is_late() else self._slots.free()

    def _not_to_claim(self) -> NotToClaim:
        own = [delivery_id for delivery_id, claim in self._sending.items() if not claim.outlasts(LEASE_CLOCKS_SECONDS)]
        return NotToClaim(own, take_over=time.monotonic() >= self._take_over_from)

    def _start_sends(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            self._slots.take(claim.host)
            self._sending[claim.delivery.delivery_id] = claim
            task = asyncio.create_task(self._process(claim), name=f"send {claim.delivery.delivery_id}")
            self._tasks.add(task)
            task.add_done_callback(partial(self._on_done, claim))
        IN_FLIGHT.labels(self._ledger.lane).set(len(self._tasks))

    async def _process(self, claim: Claim) -> None:
        result = await self._send(claim)
        await self._results.write(claim, result)
        if not isinstance(result, SettledClaim):
            self._wake()

    def _wake(self) -> None:
        self._more_due = True
        self._loop.wake()

    def _on_done(self, claim: Claim, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._slots.give_back(claim.host)
        if self._sending.get(claim.delivery.delivery_id) is claim:
            del self._sending[claim.delivery.delivery_id]
        IN_FLIGHT.labels(self._ledger.lane).set(len(self._tasks))
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error(
                "send task crashed; the delivery is retried when its lease expires",
                lane=self._ledger.lane,
                exc_info=error,
            )
        if self._more_due:
            self._loop.wake()
