"""Testing: a pacer with a real Postgres and without Kafka. A test sets its clock and its configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine

from pacer.config_cache import PacerConfigCache
from pacer.core.forecast.package_forecast import ForecastTask, PackageForecast
from pacer.core.policy import Margins
from pacer.core.waiting_queue import HeldEvent
from pacer.intake.held_queue import HeldQueue
from pacer.intake.read_times import ReadTimes
from pacer.intake.stopper import Stopper
from pacer.release.loop import ReleaseLoop
from pacer.release.outbox_relay import QueueOutboxRelay
from pacer.release.rescheduler import Rescheduler
from pacer.sql import views
from pacer.views.explain import Explainer
from pacer.views.forecast import Forecaster
from pacer.views.forecast_process import Purpose
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
    OpenDeliveriesWaiting,
    OpenOptions,
    PackageConfigured,
    ProfileState,
    Status,
    WaitingDelivery,
)
from spreader.contract.ids import delivery_id
from spreader.kafka.guarded_consumer import Received
from spreader.runtime.rows import fetched
from spreader.telemetry.tracing import NO_TRACING, Tracing
from spreader.testing import MemoryBus, MemoryTable, NoDeduplication

START = datetime(2026, 2, 10, 12, tzinfo=UTC)
E = TypeVar("E", bound=Event)


class MemoryPacerConfigCache(PacerConfigCache):
    """A config cache that a test fills."""

    def __init__(self, margins: Margins) -> None:
        self.doubts: list[str] = []
        """Why the configuration may be out of date."""
        self.unconfirmed: set[str] = set()
        """Packages that this process knows only from its schema."""
        super().__init__(
            MemoryTable[PackageConfigured](),
            MemoryTable[ProfileState](),
            margins,
            lambda package_id: package_id not in self.unconfirmed,
            lambda: next(iter(self.doubts), None),
        )

    def configure(self, package: Package) -> None:
        self._set(package.package_id, PackageConfigured(package=package, at=START))

    def remove(self, package_id: str) -> None:
        """Add the record that marks the package as deleted."""
        package = Package(package_id=package_id, version=1_000, name="Removed", paused=True)
        self._set(package_id, PackageConfigured(package=package, removed=True, at=START))

    def forget(self, package_id: str) -> None:
        """Take the package out, as if the pacer had never read it."""
        self._set(package_id, None)

    def set_state(self, state: ProfileState) -> None:
        assert isinstance(self.states, MemoryTable)
        self.states.set(state.profile_id, state)

    def _set(self, package_id: str, event: PackageConfigured | None) -> None:
        assert isinstance(self.table, MemoryTable)
        self.table.set(package_id, event)


class FixedClock(Clock):
    """A clock that stands still at its anchor time."""

    def at(self, wall: datetime) -> datetime:
        return self.anchor_system


@dataclass
class Pacer:
    engine: AsyncEngine
    config: MemoryPacerConfigCache
    bus: MemoryBus
    now: datetime = START
    tracing: Tracing = NO_TRACING
    rescheduler: Rescheduler = field(init=False)

    def __post_init__(self) -> None:
        self.rescheduler = Rescheduler(self.engine)

    @property
    def clock(self) -> Clock:
        return FixedClock(speed=1e-6, anchor_wall=wall_now(), anchor_system=self.now)

    @property
    def _queue(self) -> HeldQueue:
        return HeldQueue(self.engine, self.clock, ReadTimes(self.config))

    @property
    def release_loop(self) -> ReleaseLoop:
        return ReleaseLoop(
            self.engine, self.config, self.clock, 50, lambda results, now: None, lambda: None, self.rescheduler
        )

    @property
    def explainer(self) -> Explainer:
        return Explainer(self.engine, self.config, self.clock)

    @property
    def forecaster(self) -> Forecaster:
        return Forecaster(self.engine, self.config, self.clock, compute_here)

    def configure(self, package: Package) -> None:
        """Change the configuration as an operator does: the package's profiles become due."""
        self.config.configure(package)
        self.rescheduler.on_configured(package.package_id, package)

    async def hold(self, *events: HeldEvent) -> int:
        return await self._queue.hold(NoDeduplication(), received(*events))

    async def report(self, status: Status, *released: DeliveryReleased, not_before: datetime | None = None) -> None:
        """Settle releases with a status, as the sender does."""
        await self.settle(*(outcome(release, status, not_before) for release in released))

    async def settle(self, *outcomes: DeliveryOutcome) -> None:
        await self._queue.settle(NoDeduplication(), received(*outcomes))

    async def receive_message(self, recipient: str, profile_id: str = "p0") -> None:
        """A customer writes to a profile."""
        event = CustomerMessage(
            package_id="one",
            profile_id=profile_id,
            recipient=recipient,
            gateway_message_id=f"in/{self.now}",
            at=self.now,
        )
        await self._queue.record_messages(NoDeduplication(), received(event))

    async def cancel(self, message_id: str) -> None:
        event = MessageCancelled(package_id="one", message_id=message_id, at=self.now)
        await self._queue.cancel(NoDeduplication(), received(event))
        await self.end_stopped()

    async def end_stopped(self) -> None:
        """End everything that a stored cancellation or change of consent forbids."""
        while await Stopper(self.engine, lambda: None).end_piece() == 0:
            pass

    async def release(self) -> list[DeliveryReleased]:
        """Run release passes until no profile is due, and publish; returns the releases."""
        before = len(self.bus.published)
        loop = self.release_loop
        while await loop.run_pass() == 0:
            pass
        await self.relay()
        return [event for event in self.bus.published[before:] if isinstance(event, DeliveryReleased)]

    async def relay(self) -> None:
        """Publish everything that is in the outbox."""
        while await QueueOutboxRelay(self.engine, self.bus, self.bus, self.clock, self.tracing).relay() == 0:
            pass

    async def states(self) -> dict[str, int]:
        """The number of deliveries in each state."""
        async with self.engine.connect() as connection:
            rows = fetched(views.StateCount, await connection.execute(views.STATES))
        return {row.state: row.deliveries for row in rows}


async def compute_here(task: ForecastTask, _: Purpose) -> PackageForecast:
    return task.forecast()


def members(answer: Mapping[str, Any] | None) -> dict[str, Any]:
    """The members of a view's answer. Fails if the view does not know what it is asked about."""
    assert answer is not None
    return dict(answer)


def received(*events: E) -> list[Received[E]]:
    return [Received(event, event.topic, 0, offset) for offset, event in enumerate(events)]


def outcome(released: DeliveryReleased, status: Status, not_before: datetime | None) -> DeliveryOutcome:
    return DeliveryOutcome(
        package_id=released.package_id,
        message_id=released.message_id,
        delivery_id=released.delivery_id,
        recipient=released.recipient,
        lane="open",
        status=status,
        at=START,
        profile_id=released.profile_id,
        attempt=released.attempt,
        release=released.release,
        not_before=not_before,
    )


def package(profiles: int = 1, limits: ProfileLimits | None = None, concurrent: int = 10) -> Package:
    return Package(
        package_id="one",
        version=1,
        name="One",
        rest_window=None,
        limits=PackageLimits(concurrent_sends=concurrent),
        profiles=tuple(
            Profile(
                profile_id=f"p{number}",
                name="P",
                phone=f"2010000000{number:02}",
                limits=limits or ProfileLimits(),
                gateway=Gateway(driver="simulator", base_url="http://127.0.0.1:1", account=f"p{number}"),
            )
            for number in range(profiles)
        ),
    )


def assigned(
    count: int,
    message_id: str = "msg_1",
    profiles: int = 1,
    options: OpenOptions | None = None,
    attempt: int = 1,
    profile: str | None = None,
    first: int = 0,
) -> OpenDeliveriesAssigned:
    """`first`: the place of the first delivery in the message."""
    recipients = {number: f"2011{number:08}" for number in range(first, first + count)}
    return OpenDeliveriesAssigned(
        package_id="one",
        message_id=message_id,
        content=TextContent(type="text", text="Hello"),
        options=options or OpenOptions(),
        requested_at=START,
        strategy="round_robin",
        deliveries=tuple(
            AssignedDelivery(
                delivery_id=delivery_id(message_id, recipient),
                recipient=recipient,
                index=number,
                attempt=attempt,
                profile_id=profile or f"p{number % profiles}",
            )
            for number, recipient in recipients.items()
        ),
    )


def waiting(
    count: int,
    message_id: str = "msg_1",
    options: OpenOptions | None = None,
    attempt: int = 1,
    tried: tuple[str, ...] = (),
) -> OpenDeliveriesWaiting:
    """The same deliveries as `assigned`, without a profile."""
    event = assigned(count, message_id, options=options)
    return OpenDeliveriesWaiting(
        package_id=event.package_id,
        message_id=message_id,
        content=event.content,
        options=event.options,
        requested_at=START,
        strategy="weighted",
        reason="no profile can send now",
        deliveries=tuple(
            WaitingDelivery(
                delivery_id=each.delivery_id, recipient=each.recipient, index=each.index, attempt=attempt, tried=tried
            )
            for each in event.deliveries
        ),
    )


def assigned_in_parts(
    count: int, message_id: str = "msg_1", profiles: int = 1, options: OpenOptions | None = None
) -> list[OpenDeliveriesAssigned]:
    """One message in records of 500 deliveries, as the router publishes it."""
    return [
        assigned(min(500, count - first), message_id, profiles, options, first=first) for first in range(0, count, 500)
    ]
