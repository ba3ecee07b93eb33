"""Outbox: the events of settled deliveries on their way to Kafka.

They are published right after the commit that made them true; what a crash or a broker that is away left over is found
in the ledger and published again. Readers drop repeats.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import structlog

from sender.core.claim_result import Settled
from sender.ledger.claim import Key
from sender.ledger.postgres import Ledger
from sender.ledger.row_mapping import Result
from sender.metrics import REPUBLISHED
from spreader.contract.events import Event
from spreader.kafka.bus import Bus
from spreader.runtime.loop import Loop

log = structlog.get_logger()

OVERDUE = timedelta(seconds=5)
LOOK_SECONDS = 2.0
MARK_SECONDS = 0.05
IDLE_SECONDS = 60.0
UNDER_WAY_MAX = 5_000
BATCH_MAX = 500


class Outbox:
    """A part, of two loops: one marks what was published, the other finds what was not."""

    def __init__(self, ledger: Ledger, bus: Bus, overdue: timedelta = OVERDUE) -> None:
        self.name = f"outbox of the {ledger.lane} lane"
        self._ledger = ledger
        self._bus = bus
        self._overdue = overdue
        self._under_way: set[Key] = set()
        self._published: list[Key] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._marking = Loop(f"{self.name}: mark", self._mark)
        self._looking = Loop(f"{self.name}: look", self.publish_overdue)

    def publish_soon(self, results: Sequence[Result]) -> None:
        """Publish without waiting for it. Beyond the bound the loop does it: memory stays bounded."""
        settled = [each for each in results if isinstance(each.fate, Settled)]
        if settled and len(self._under_way) < UNDER_WAY_MAX:
            task = asyncio.create_task(self._publish(settled))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def start(self) -> None:
        await self._marking.start()
        await self._looking.start()

    async def stop(self) -> None:
        await self._looking.stop()
        await asyncio.gather(*self._tasks)
        await self._marking.stop()
        await self._mark_now()

    def not_ready_reason(self) -> str | None:
        return self._marking.not_ready_reason() or self._looking.not_ready_reason()

    def is_live(self) -> bool:
        return self._marking.is_live() and self._looking.is_live()

    async def publish_overdue(self) -> float:
        """Publish what is settled for a while and not marked; answers after how many seconds to look again."""
        left_over = await self._ledger.unpublished(self._overdue, BATCH_MAX)
        mine = [(key, event) for key, event in left_over if key not in self._under_way]
        if not mine:
            return LOOK_SECONDS
        await self._bus.publish(*(event for _, event in mine))
        await self._ledger.mark_published([key for key, _ in mine])
        REPUBLISHED.labels(self._ledger.lane).inc(len(mine))
        return 0

    async def _publish(self, settled: Sequence[Result]) -> None:
        keys = [each.claim.key for each in settled]
        self._under_way.update(keys)
        try:
            await self._bus.publish(*(event for each in settled for event in _events(each)))
        except Exception as error:  # the rows stay, and the loop publishes them
            log.warning("outcomes could not be published yet", lane=self._ledger.lane, error=str(error))
            self._under_way.difference_update(keys)
        else:
            self._published.extend(keys)
            self._marking.wake()

    async def _mark(self) -> float:
        if self._published:
            await asyncio.sleep(MARK_SECONDS)  # gathers: marking is nobody's hurry
            await self._mark_now()
        return IDLE_SECONDS

    async def _mark_now(self) -> None:
        keys = list(self._published)
        if keys:
            await self._ledger.mark_published(keys)
            del self._published[: len(keys)]
            self._under_way.difference_update(keys)


def _events(result: Result) -> tuple[Event, ...]:
    return result.fate.events if isinstance(result.fate, Settled) else ()
