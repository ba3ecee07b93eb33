"""Outcome outbox: publishes the events of settled deliveries.

Events are published right after the commit that stores them. After a crash or a broken connection to Kafka, some may be
left unpublished. A loop finds these in the ledger and publishes them. Consumers drop repeats.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta

import structlog

from sender.core.claim_result import SettledClaim
from sender.ledger.claim import ClaimKey, FinishedClaim
from sender.ledger.postgres import DeliveryLedger
from sender.metrics import REPUBLISHED
from spreader.contract.events import Event
from spreader.kafka.bus import Bus
from spreader.runtime.loop import Loop

log = structlog.get_logger()

OVERDUE = timedelta(seconds=5)
"""If an event is not marked as published within this time after its commit, it is published again."""
LOOK_SECONDS = 3.0
MARK_SECONDS = 0.2
"""How long a published event waits for others, so that all are marked in one statement."""
IDLE_SECONDS = 60.0
IN_FLIGHT_MAX = 5_000
BATCH_MAX = 500


class OutcomeOutbox:
    """A component with two loops. One marks published events as published, and the other publishes events that were
    left behind."""

    def __init__(self, ledger: DeliveryLedger, bus: Bus, overdue: timedelta = OVERDUE) -> None:
        self.name = f"outbox of the {ledger.lane} lane"
        self._ledger = ledger
        self._bus = bus
        self._overdue = overdue
        self._in_flight: set[ClaimKey] = set()
        self._published: list[ClaimKey] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._mark_loop = Loop(f"{self.name}: mark", self._mark)
        self._look_loop = Loop(f"{self.name}: look", self.publish_overdue)

    def publish_soon(self, results: Sequence[FinishedClaim]) -> None:
        """Publishes the events of the settled claims in the background.

        If the events of IN_FLIGHT_MAX claims are being published already, these events are left to `publish_overdue`.
        """
        settled = [finished for finished in results if isinstance(finished.result, SettledClaim)]
        if settled and len(self._in_flight) < IN_FLIGHT_MAX:
            task = asyncio.create_task(self._publish(settled))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def start(self) -> None:
        await self._mark_loop.start()
        await self._look_loop.start()

    async def stop(self) -> None:
        await self._look_loop.stop()
        await asyncio.gather(*self._tasks)
        await self._mark_loop.stop()
        await self._mark_now()

    def not_ready_reason(self) -> str | None:
        return self._mark_loop.not_ready_reason() or self._look_loop.not_ready_reason()

    def failing(self) -> Mapping[str, str]:
        return {**self._mark_loop.failing(), **self._look_loop.failing()}

    def is_live(self) -> bool:
        return self._mark_loop.is_live() and self._look_loop.is_live()

    async def publish_overdue(self) -> float:
        """Publishes events that are still unmarked some time after their commit; returns the seconds until the next
        look."""
        overdue = await self._ledger.unpublished(self._overdue, BATCH_MAX)
        left_behind = [(key, event) for key, event in overdue if key not in self._in_flight]
        if not left_behind:
            return LOOK_SECONDS
        await self._bus.publish(*(event for _, event in left_behind))
        await self._ledger.mark_published([key for key, _ in left_behind])
        REPUBLISHED.labels(self._ledger.lane).inc(len(left_behind))
        return 0

    async def _publish(self, settled: Sequence[FinishedClaim]) -> None:
        keys = [finished.claim.key for finished in settled]
        self._in_flight.update(keys)
        try:
            await self._bus.publish(*(event for finished in settled for event in _events(finished)))
        except Exception as error:
            log.warning(
                "publishing outcomes failed; they stay in the ledger and are published again",
                lane=self._ledger.lane,
                error=str(error),
            )
            self._in_flight.difference_update(keys)
        else:
            self._published.extend(keys)
            self._mark_loop.wake()

    async def _mark(self) -> float:
        if self._published:
            await asyncio.sleep(MARK_SECONDS)
            await self._mark_now()
        return IDLE_SECONDS

    async def _mark_now(self) -> None:
        keys = list(self._published)
        if keys:
            await self._ledger.mark_published(keys)
            del self._published[: len(keys)]  # others may have been added meanwhile
            self._in_flight.difference_update(keys)


def _events(finished: FinishedClaim) -> tuple[Event, ...]:
    return finished.result.events if isinstance(finished.result, SettledClaim) else ()
