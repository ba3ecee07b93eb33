"""Running: the parts of a pacer that release, in a process without Kafka; every release is answered at once."""

import os
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from bench.pacer.held import CROWD
from pacer.app import GROUP  # with it comes all that the real process loads: time and memory are its own
from pacer.core.release_pass import Due, PassResult
from pacer.intake.held_queue import HeldQueue
from pacer.intake.read_times import ReadTimes
from pacer.release.loop import ReleaseLoop
from pacer.release.outbox_relay import OutboxRelay
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
POSITIONS = OffsetStore(GROUP, f"bench-{os.getpid()}")  # each process reads a log of its own

OnLooked = Callable[[Sequence[tuple[Due, PassResult]], datetime], None]


@dataclass
class Gateway:
    """A bus whose releases a sender answers: `sent`, at once; it keeps nothing that it has answered."""

    queue: HeldQueue
    on_told: Callable[[DeliveryReleased], None]
    look: Callable[[], None] = field(default=lambda: None, init=False)
    wake: Callable[[], None] = field(default=lambda: None, init=False)
    answered: int = field(default=0, init=False)
    _waiting: deque[DeliveryReleased] = field(default_factory=deque[DeliveryReleased], init=False)
    _offset: int = field(default=0, init=False)

    async def publish(self, *events: Event) -> None:
        for event in events:
            encode(event, GROUP, wall_now())  # the work that the real bus has with it
            if isinstance(event, DeliveryReleased):
                self.on_told(event)
                self._waiting.append(event)
        self.wake()

    async def turn(self) -> float:
        released = [self._waiting.popleft() for _ in range(min(ANSWERS_A_BATCH, len(self._waiting)))]
        if not released:
            return IDLE_SECONDS
        answers = [
            Received(_sent(event), DeliveryOutcome.topic, 0, self._offset + place)
            for place, event in enumerate(released)
        ]
        self._offset += len(answers)
        self.answered += await self.queue.settle(POSITIONS, answers)
        self.look()
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
    engine: AsyncEngine, limits: ProfileLimits, on_looked: OnLooked,
    on_told: Callable[[DeliveryReleased], None],
) -> AsyncGenerator[Gateway]:  # fmt: skip
    """The release loop, the announcer and the answers, each in a loop of its own, as long as the block runs."""
    clock, config = Clock(), CROWD.config(limits)
    gateway = Gateway(HeldQueue(engine, clock, ReadTimes(config)), on_told)
    announcing = Loop("announce", OutboxRelay(engine, gateway, clock).relay)
    a_turn = PacerSettings().pacer_profiles_a_turn
    waking = Rescheduler(engine)
    releasing = Loop("release", ReleaseLoop(engine, config, clock, a_turn, on_looked, announcing.wake, waking).run_pass)
    answering = Loop("answer", gateway.turn)
    gateway.look, gateway.wake = releasing.wake, answering.wake
    loops = (answering, announcing, releasing)
    for loop in loops:
        await loop.start()
    try:
        yield gateway
    finally:
        for loop in reversed(loops):
            await loop.stop()


def _sent(event: DeliveryReleased) -> DeliveryOutcome:
    return DeliveryOutcome(
        package_id=event.package_id, message_id=event.message_id, delivery_id=event.delivery_id,
        recipient=event.recipient, lane="open", status="sent", at=wall_now(), profile_id=event.profile_id,
        attempt=event.attempt, release=event.release,
    )  # fmt: skip
