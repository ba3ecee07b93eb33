"""Running: a lane with everything but Kafka, under way, for the stories that tests tell."""

from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from sender.config_cache import SenderConfigCache
from sender.core.delivery import Delivery
from sender.dispatch.attempt import Sending
from sender.dispatch.consent_check import OptIns
from sender.dispatch.dispatcher import Lane
from sender.dispatch.intake import Intake
from sender.dispatch.tracing import TracedSending
from sender.gateways.driver import Driver
from sender.ledger.outbox import Outbox
from sender.ledger.postgres import Ledger
from sender.ledger.result_writer import Results
from sender.testing import NOON, FakeGateway, FixedPackages, WatchedBus, arriving, profile
from spreader.contract.events import DeliveryOutcome, Event
from spreader.telemetry.tracing import OFF, Tracing
from spreader.testing import FakeProgress, ManualClock

DRIVERS = ("simulator", "cloud_api", "waha", "evolution")


@dataclass
class Running:
    """A lane with everything but Kafka, under way."""

    intake: Intake
    lane: Lane
    bus: WatchedBus
    clock: ManualClock
    read: int = 0

    async def ask(self, *deliveries: Delivery) -> None:
        """As one batch from the log."""
        first, self.read = self.read, self.read + len(deliveries)
        await self.intake.on_asked(arriving(*deliveries, first=first))

    async def outcomes(self, count: int) -> list[DeliveryOutcome]:
        await self.bus.until(lambda bus: len(bus.of(DeliveryOutcome)) >= count)
        return self.bus.inner.of(DeliveryOutcome)


@asynccontextmanager
async def running(
    ledger: Ledger,
    driver: Driver,
    gateway: FakeGateway | None = None,
    *,
    limit: int = 64,
    bus: WatchedBus | None = None,
    drain_seconds: float = 30,
    configured: FixedPackages | None = None,
    tracing: Tracing = OFF,
) -> AsyncGenerator[Running]:
    bus, clock = bus or WatchedBus(), ManualClock(NOON)
    outbox = Outbox(ledger, bus, overdue=timedelta(0))
    results = Results(ledger, outbox, group_seconds=0)
    profiles = SenderConfigCache(configured or FixedPackages(() if gateway is None else (profile(gateway.base_url),)))
    opt_ins = OptIns(ledger.engine, FakeProgress()) if ledger.lane == "open" else None
    sending = Sending(ledger, profiles, dict.fromkeys(DRIVERS, driver), clock, 1.0, Random(1), 30, opt_ins)
    # Nothing in a story may hang on the pump's own look: what there is to do must wake it.
    traced = TracedSending(sending, tracing, profiles)
    lane = Lane(ledger, traced, results, limit, drain_seconds, look_seconds=3600)
    parts = [outbox, results, lane]
    for part in parts:
        await part.start()
    try:
        yield Running(Intake(ledger, lane), lane, bus, clock)
    finally:
        for part in reversed(parts):
            await part.stop()


def send_with(ledger: Ledger, driver: Driver, gateway: FakeGateway) -> Sending:
    profiles = SenderConfigCache(FixedPackages((profile(gateway.base_url),)))
    return Sending(ledger, profiles, dict.fromkeys(DRIVERS, driver), ManualClock(NOON), 1.0, Random(1), call_seconds=30)


def statuses(events: Sequence[Event]) -> Counter[str]:
    return Counter(event.status for event in events if isinstance(event, DeliveryOutcome))
