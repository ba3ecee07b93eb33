"""Process: the release loop and the outbox relay in a process without Kafka. Every release is settled at once."""

import os
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from bench.pacer.workload import WORKLOAD
from pacer.app import GROUP  # imports everything that the real process loads, so that memory is comparable
from pacer.core.release_pass import Due, PassResult
from pacer.intake.held_queue import HeldQueue
from pacer.intake.read_times import ReadTimes
from pacer.release.loop import ReleaseLoop
from pacer.release.outbox_relay import QueueOutboxRelay
from pacer.release.rescheduler import Rescheduler
from pacer.settings import PacerSettings
from spreader.clock import Clock, wall_now
from spreader.contract.configuration import ProfileLimits
from spreader.contract.events import DeliveryOutcome, DeliveryReleased, Event
from spreader.kafka.envelope import encode
from spreader.kafka.guarded_consumer import Received
from spreader.kafka.offset_store import OffsetStore
from spreader.runtime.loop import Loop
from spreader.runtime.postgres import create_engine

ANSWERS_A_BATCH = 500
IDLE_SECONDS = 1.0
OFFSETS = OffsetStore(GROUP, f"bench-{os.getpid()}")  # each process counts as a Kafka cluster of its own

OnPass = Callable[[Sequence[tuple[Due, PassResult]], datetime], None]


@dataclass
class Gateway:
    """A bus that settles every release as `sent` at once."""

    queue: HeldQueue
    on_published: Callable[[DeliveryReleased], None]
    wake_release: Callable[[], None] = field(default=lambda: None, init=False)
    wake_settle: Callable[[], None] = field(default=lambda: None, init=False)
    answered: int = field(default=0, init=False)
    _waiting: deque[DeliveryReleased] = field(default_factory=deque[DeliveryReleased], init=False)
    _offset: int = field(default=0, init=False)

    async def publish(self, *events: Event) -> None:
        for event in events:
            encode(event, GROUP, wall_now())  # the real bus does this work, too
            if isinstance(event, DeliveryReleased):
                self.on_published(event)
                self._waiting.append(event)
        self.wake_settle()

    async def settle(self) -> float:
        released = [self._waiting.popleft() for _ in range(min(ANSWERS_A_BATCH, len(self._waiting)))]
        if not released:
            return IDLE_SECONDS
        answers = [
            Received(_sent(event), DeliveryOutcome.topic, 0, self._offset + place)
            for place, event in enumerate(released)
        ]
        self._offset += len(answers)
        self.answered += await self.queue.settle(OFFSETS, answers)
        self.wake_release()
        return 0


@asynccontextmanager
async def engine_of(url: str) -> AsyncGenerator[AsyncEngine]:
    engine = create_engine(PacerSettings(database_url=url), GROUP)
    try:
        yield engine
    finally:
        await engine.dispose()


@asynccontextmanager
async def running(
    engine: AsyncEngine,
    limits: ProfileLimits,
    on_pass: OnPass,
    on_published: Callable[[DeliveryReleased], None],
) -> AsyncGenerator[Gateway]:
    """Runs the release loop, the outbox relay and the settlements, each in a loop of its own, during the block."""
    clock, config = Clock(), WORKLOAD.config(limits)
    gateway = Gateway(HeldQueue(engine, clock, ReadTimes(config)), on_published)
    relay_loop = Loop("announce", QueueOutboxRelay(engine, gateway, gateway, clock).relay)
    profiles_a_pass = PacerSettings().pacer_profiles_a_turn
    rescheduler = Rescheduler(engine)
    release_loop = Loop(
        "release", ReleaseLoop(engine, config, clock, profiles_a_pass, on_pass, relay_loop.wake, rescheduler).run_pass
    )
    settle_loop = Loop("answer", gateway.settle)
    gateway.wake_release, gateway.wake_settle = release_loop.wake, settle_loop.wake
    loops = (settle_loop, relay_loop, release_loop)
    for loop in loops:
        await loop.start()
    try:
        yield gateway
    finally:
        for loop in reversed(loops):
            await loop.stop()


def _sent(event: DeliveryReleased) -> DeliveryOutcome:
    return DeliveryOutcome(
        package_id=event.package_id,
        message_id=event.message_id,
        delivery_id=event.delivery_id,
        recipient=event.recipient,
        lane="open",
        status="sent",
        at=wall_now(),
        profile_id=event.profile_id,
        attempt=event.attempt,
        release=event.release,
    )
