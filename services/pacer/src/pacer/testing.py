"""Testing: a pacer whose clock and configuration a test sets by hand, on a real Postgres and without Kafka."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine

from pacer.config_cache import PacerConfigCache
from pacer.core.policy import Margins
from pacer.intake.held_queue import Queue
from pacer.intake.read_times import Habits
from pacer.release.loop import Releasing
from pacer.release.outbox_relay import Announcer
from pacer.release.rescheduler import Waking
from pacer.sql import views as views
from pacer.views.explain import Explaining
from pacer.views.forecast import Foreseeing
from spreader.clock import Clock, wall_now
from spreader.contract.configuration import Gateway, Package, PackageLimits, Profile, ProfileLimits
from spreader.contract.content import TextContent
from spreader.contract.events import (
    AssignedDelivery,
    CustomerMessage,
    DeliveryOutcome,
    DeliveryReleased,
    Event,
    MessageCancelled,
    OpenDeliveriesAssigned,
    OpenOptions,
    PackageConfigured,
    ProfileState,
    Status,
)
from spreader.contract.ids import delivery_id
from spreader.kafka.guarded_consumer import Received
from spreader.telemetry.tracing import OFF, Tracing
from spreader.testing import MemoryBus, MemoryTable, NoDeduplication

START = datetime(2026, 2, 10, 12, tzinfo=UTC)
E = TypeVar("E", bound=Event)


class MemoryConfigCache(PacerConfigCache):
    """A config cache that a test fills by hand."""

    def __init__(self, margins: Margins) -> None:
        super().__init__(MemoryTable[PackageConfigured](), MemoryTable[ProfileState](), margins)

    def configure(self, package: Package) -> None:
        self._set(package.package_id, PackageConfigured(package=package, at=START))

    def remove(self, package_id: str) -> None:
        self._set(package_id, None)

    def set_state(self, state: ProfileState) -> None:
        assert isinstance(self.states, MemoryTable)
        self.states.set(state.profile_id, state)

    def _set(self, package_id: str, event: PackageConfigured | None) -> None:
        assert isinstance(self.table, MemoryTable)
        self.table.set(package_id, event)
        self.on_package(package_id, event)


class StandingClock(Clock):
    """Shows its anchor for as long as a test runs, however long that is."""

    def at(self, wall: datetime) -> datetime:
        return self.anchor_system


@dataclass
class Pacer:
    """A pacer without Kafka: its clock stands where the test puts it."""

    engine: AsyncEngine
    directory: MemoryConfigCache
    bus: MemoryBus
    now: datetime = START
    tracing: Tracing = OFF
    waking: Waking = field(init=False)

    def __post_init__(self) -> None:
        self.waking = Waking(self.engine)

    @property
    def clock(self) -> Clock:
        return StandingClock(speed=1e-6, anchor_wall=wall_now(), anchor_system=self.now)

    @property
    def _queue(self) -> Queue:
        return Queue(self.engine, self.clock, Habits(self.directory))

    @property
    def releasing(self) -> Releasing:
        return Releasing(
            self.engine, self.directory, self.clock, 50, lambda looks, now: None, lambda: None, self.waking
        )

    @property
    def explaining(self) -> Explaining:
        return Explaining(self.engine, self.directory, self.clock)

    @property
    def foreseeing(self) -> Foreseeing:
        return Foreseeing(self.engine, self.directory, self.clock)

    def set(self, package: Package) -> None:
        """Configure it as an operator does: what waits is looked at anew."""
        self.directory.configure(package)
        self.waking.configured(package.package_id, package)

    async def take(self, *events: OpenDeliveriesAssigned) -> int:
        return await self._queue.take(NoDeduplication(), received(*events))

    async def answer(self, status: Status, *released: DeliveryReleased, not_before: datetime | None = None) -> None:
        await self.settle(*(outcome(each, status, not_before) for each in released))

    async def settle(self, *outcomes: DeliveryOutcome) -> None:
        await self._queue.settle(NoDeduplication(), received(*outcomes))

    async def hear(self, recipient: str, profile_id: str = "p0") -> None:
        """A customer writes to a profile."""
        event = CustomerMessage(
            package_id="one",
            profile_id=profile_id,
            recipient=recipient,
            gateway_message_id=f"in/{self.now}",
            at=self.now,
        )
        await self._queue.hear(NoDeduplication(), received(event))

    async def cancel(self, message_id: str) -> None:
        event = MessageCancelled(package_id="one", message_id=message_id, at=self.now)
        await self._queue.cancel(NoDeduplication(), received(event))

    async def release(self) -> list[DeliveryReleased]:
        """Let the loop run until nothing more is due, and the announcer until all is told."""
        before = len(self.bus.published)
        loop = self.releasing
        while await loop.turn() == 0:
            pass
        await self.announce()
        return [event for event in self.bus.published[before:] if isinstance(event, DeliveryReleased)]

    async def announce(self) -> None:
        while await Announcer(self.engine, self.bus, self.clock, self.tracing).turn() == 0:
            pass

    async def states(self) -> dict[str, int]:
        async with self.engine.connect() as connection:
            return {row.state: row.deliveries for row in await connection.execute(views.STATES)}


def received(*events: E) -> list[Received[E]]:
    return [Received(event, event.topic, 0, offset) for offset, event in enumerate(events)]


def outcome(released: DeliveryReleased, status: Status, not_before: datetime | None) -> DeliveryOutcome:
    return DeliveryOutcome(
        package_id=released.package_id, message_id=released.message_id, delivery_id=released.delivery_id,
        recipient=released.recipient, lane="open", status=status, at=START, profile_id=released.profile_id,
        attempt=released.attempt, release=released.release, not_before=not_before,
    )  # fmt: skip


def package(profiles: int = 1, limits: ProfileLimits | None = None, concurrent: int = 10) -> Package:
    return Package(
        package_id="one", version=1, name="One", rest_window=None, limits=PackageLimits(concurrent_sends=concurrent),
        profiles=tuple(
            Profile(
                profile_id=f"p{number}", name="P", phone=f"2010000000{number:02}", limits=limits or ProfileLimits(),
                gateway=Gateway(driver="simulator", base_url="http://127.0.0.1:1", account=f"p{number}"),
            )
            for number in range(profiles)
        ),
    )  # fmt: skip


def assigned(
    count: int, message_id: str = "msg_1", profiles: int = 1, options: OpenOptions | None = None, attempt: int = 1,
    profile: str | None = None,
) -> OpenDeliveriesAssigned:  # fmt: skip
    recipients = [f"2011{number:08}" for number in range(count)]
    return OpenDeliveriesAssigned(
        package_id="one", message_id=message_id, content=TextContent(type="text", text="Hello"),
        options=options or OpenOptions(), requested_at=START, strategy="round_robin",
        deliveries=tuple(
            AssignedDelivery(
                delivery_id=delivery_id(message_id, recipient), recipient=recipient, index=number, attempt=attempt,
                profile_id=profile or f"p{number % profiles}",
            )
            for number, recipient in enumerate(recipients)
        ),
    )  # fmt: skip
