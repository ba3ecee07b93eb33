"""Lane runner: a running lane with all its components except Kafka."""

from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from sender.config_cache import SenderConfigCache
from sender.core.delivery import Delivery
from sender.dispatch.attempt import AttemptRunner
from sender.dispatch.consent_check import ConsentCheck
from sender.dispatch.dispatcher import Dispatcher
from sender.dispatch.tracing import TracedAttempts
from sender.gateways.driver import Driver
from sender.ledger.call_starts import CallStarts
from sender.ledger.outbox import OutcomeOutbox
from sender.ledger.postgres import DeliveryLedger
from sender.ledger.result_writer import ResultWriter
from sender.testing import NOON, FakeGateway, FixedPackages, ObservedBus, batch_of, profile
from spreader.contract.events import DeliveryOutcome, Event
from spreader.telemetry.tracing import NO_TRACING, Tracing
from spreader.testing import FakeProgress, ManualClock, MemoryBus

DRIVERS = ("simulator", "cloud_api", "waha", "evolution")


@dataclass
class LaneRunner:
    dispatcher: Dispatcher
    bus: ObservedBus
    clock: ManualClock
    next_offset: int = 0

    async def receive(self, *deliveries: Delivery) -> None:
        """Hands the deliveries to the dispatcher as one batch of a partition."""
        first, self.next_offset = self.next_offset, self.next_offset + len(deliveries)
        await self.dispatcher.on_deliveries(batch_of(*deliveries, first=first))

    async def outcomes(self, count: int) -> list[DeliveryOutcome]:
        """Waits until at least `count` outcomes are published.

        The outbox may publish an event twice, above all here, where events are overdue at once. The repeat has the
        same event id, and readers drop it. So it does not count here either.
        """
        await self.bus.until(lambda bus: len(_different_outcomes(bus)) >= count)
        return _different_outcomes(self.bus.inner)


@asynccontextmanager
async def run_lane(
    ledger: DeliveryLedger,
    driver: Driver,
    gateway: FakeGateway | None = None,
    *,
    limit: int = 64,
    bus: ObservedBus | None = None,
    drain_seconds: float = 30,
    packages: FixedPackages | None = None,
    tracing: Tracing = NO_TRACING,
) -> AsyncGenerator[LaneRunner]:
    bus, clock = bus or ObservedBus(), ManualClock(NOON)
    outbox = OutcomeOutbox(ledger, bus, overdue=timedelta(0))
    results = ResultWriter(ledger, outbox, group_seconds=0)
    profiles = SenderConfigCache(packages or FixedPackages(() if gateway is None else (profile(gateway.base_url),)))
    consent_check = ConsentCheck(ledger.engine, FakeProgress()) if ledger.lane == "open" else None
    attempts = AttemptRunner(
        ledger, profiles, dict.fromkeys(DRIVERS, driver), clock, 1.0, Random(1), CallStarts(ledger), 30, consent_check
    )
    traced = TracedAttempts(attempts.run, tracing, profiles)
    # The dispatcher looks by itself only once an hour. So a test passes only if every event that makes work due wakes
    # the dispatcher.
    dispatcher = Dispatcher(ledger, traced.run, results, limit, drain_seconds, look_seconds=3600)
    components = [outbox, results, dispatcher]
    for component in components:
        await component.start()
    try:
        yield LaneRunner(dispatcher, bus, clock)
    finally:
        for component in reversed(components):
            await component.stop()


def attempt_runner(ledger: DeliveryLedger, driver: Driver, gateway: FakeGateway) -> AttemptRunner:
    profiles = SenderConfigCache(FixedPackages((profile(gateway.base_url),)))
    return AttemptRunner(
        ledger, profiles, dict.fromkeys(DRIVERS, driver), ManualClock(NOON), 1.0, Random(1), CallStarts(ledger), 30
    )


def _different_outcomes(bus: MemoryBus) -> list[DeliveryOutcome]:
    return list({outcome.event_id: outcome for outcome in bus.of(DeliveryOutcome)}.values())


def statuses(events: Sequence[Event]) -> Counter[str]:
    return Counter(event.status for event in events if isinstance(event, DeliveryOutcome))
