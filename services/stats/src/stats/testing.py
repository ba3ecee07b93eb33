"""Testing: stats without Kafka, on a real Postgres. No production module imports this one."""

import functools
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.contract.configuration import Gateway, Package, Profile
from spreader.contract.events import (
    Alert,
    CustomerMessage,
    DeliveryOutcome,
    PackageConfigured,
    ProfileReported,
    ProfileState,
)
from spreader.http import problems
from spreader.kafka.guarded_consumer import Received
from spreader.kafka.offset_store import OffsetStore
from spreader.testing import ManualClock, MemoryBus, MemoryTable
from spreader.testing.conformance import Conformance
from stats.api.alerts import AlertEndpoints
from stats.api.event_stream import OVERLAP, EventStream
from stats.api.packages import PackageEndpoint
from stats.api.problems import KINDS
from stats.api.profiles import ProfileEndpoints
from stats.api.reports import ReportEndpoints
from stats.app import build
from stats.config_cache import StatsConfigCache
from stats.core.condition import NEVER
from stats.counting.handlers import CountingHandlers, notify_all
from stats.counting.lane_closures import LaneClosures
from stats.counting.store import CountStore
from stats.exports.endpoint import ExportEndpoint
from stats.exports.slots import ExportSlots
from stats.exports.sql import PAGE_ROWS
from stats.health.current_state import CurrentState
from stats.health.evaluator import Evaluator
from stats.health.publisher import AlertPublisher, StatePublisher
from stats.health.removed_profiles import RemovedProfiles
from stats.health.resume import Resumption
from stats.settings import StatsSettings


def profile(name: str, driver: Any = "simulator", holder: str | None = None, **settings: Any) -> Profile:
    gateway = Gateway(driver=driver, base_url="http://gateway", account=name, holder=holder)
    return Profile(profile_id=name, name=name.title(), phone="201001234567", gateway=gateway, **settings)


def package(name: str, *profiles: Profile) -> Package:
    return Package(package_id=name, version=1, name=name.title(), profiles=profiles)


@functools.cache
def documented() -> Conformance:
    """The check that an answer is one that the document of the API permits."""
    return Conformance(build(StatsSettings(api_key="not used")).openapi())


def joined(member: Profile, at: datetime) -> Profile:
    """A copy of the profile that has had its holder since this time."""
    return member.model_copy(update={"gateway": member.gateway.model_copy(update={"holder_since": at})})


def closures_of_each_profile() -> LaneClosures:
    """Closures without a configuration: no profile has a holder, and each was added long ago."""
    return LaneClosures(lambda profile, _: frozenset({profile}), lambda profiles: dict.fromkeys(profiles, NEVER))


class StatsHarness:
    """All components with one manual clock. The harness hands the states that it publishes to the components of stats
    that read them."""

    def __init__(self, engine: AsyncEngine, now: datetime, *packages: Package) -> None:
        self.engine = engine
        self.clock = ManualClock(now)
        self.bus = MemoryBus(now)
        configured = {package.package_id: PackageConfigured(package=package, at=now) for package in packages}
        self.packages = MemoryTable(configured)
        self.published: dict[str, ProfileState] = {}
        self.store = CountStore(engine, OffsetStore("stats", "cluster"))
        self.config = StatsConfigCache(self.packages)
        self.closures = LaneClosures(self.config.same_holder_as, self.config.added_at)
        self.current_state = CurrentState(self.store, self.config.added_at)
        self.publisher = StatePublisher(self.current_state, self.config, self.bus, self.clock, self.published)
        self.alert_publisher = AlertPublisher(engine, self.bus)
        self.evaluator = Evaluator(
            engine, self.config, self.closures, self.clock, self.publisher.touch, again_seconds=0.0
        )
        self.on_lanes = notify_all(self.publisher.touch, self.evaluator.schedule_now)
        self.stream = EventStream(engine, self.clock, OVERLAP, lifetime_seconds=0.5)
        self.removed = RemovedProfiles(engine, self.config, self.bus, self.clock, self.published)
        on_counts = notify_all(self.publisher.touch, self.evaluator.schedule)
        self.handlers = CountingHandlers(self.store, self.closures, self.clock, on_counts, self.on_lanes)
        self.export_page_rows = PAGE_ROWS
        self._offsets: dict[str, int] = {}

    def app(self, key: str) -> FastAPI:
        app = FastAPI()
        problems.install(app, KINDS)
        resumption = Resumption(self.engine, self.closures, self.clock, self.on_lanes)
        endpoints = ProfileEndpoints(
            self.current_state, self.config, self.published, resumption, self.clock, lambda: None
        )
        routers = [
            ReportEndpoints(self.engine, self.clock).router(),
            AlertEndpoints(self.engine, self.clock).router(),
            ExportEndpoint(self.engine, ExportSlots(8, 2), self.clock, self.export_page_rows).router(),
            PackageEndpoint(self.engine, self.config, self.published).router(),
            self.stream.router(self.published),
        ]
        app.include_router(endpoints.router(key, routers))
        return app

    def configure(self, package: Package) -> None:
        """Change a package now."""
        self.packages.set(package.package_id, PackageConfigured(package=package, at=self.clock()))

    async def end_removed(self) -> None:
        """End the profiles that were removed, and remove their states from the table. Then publish their alerts."""
        before = len(self.bus.tombstones)
        await self.removed.turn()
        for tombstone in self.bus.tombstones[before:]:
            name = (tombstone.key or b"").decode()
            del self.published[name]
            self.stream.on_state(name, None)
        await self.publish_alerts()

    async def publish_alerts(self) -> None:
        before = len(self.bus.of(Alert))
        await self.alert_publisher.turn()
        for alert in self.bus.of(Alert)[before:]:
            self.stream.on_alert(alert.profile_id, alert)

    async def receive(self, *events: DeliveryOutcome | CustomerMessage | ProfileReported) -> None:
        """Handle events as records of their topics: the events of each kind are one batch."""
        outcomes = [event for event in events if isinstance(event, DeliveryOutcome)]
        messages = [event for event in events if isinstance(event, CustomerMessage)]
        reports = [event for event in events if isinstance(event, ProfileReported)]
        await self.handlers.on_outcomes(self._received(outcomes))
        await self.handlers.on_customer_messages(self._received(messages))
        await self.handlers.on_reports(self._received(reports))

    async def publish(self) -> list[ProfileState]:
        """Publish the changed states. Returns these states."""
        before = len(self.bus.of(ProfileState))
        await self.publisher.turn()
        changed = self.bus.of(ProfileState)[before:]
        self.published.update({state.profile_id: state for state in changed})
        for state in changed:
            self.stream.on_state(state.profile_id, state)
        return changed

    async def evaluate(self) -> None:
        """Evaluate all profiles that are due, then publish the alerts."""
        while await self.evaluator.turn() == 0:
            continue
        await self.publish_alerts()

    async def state(self, profile_id: str) -> ProfileState:
        """The published state after everything due is evaluated and published."""
        await self.evaluate()
        await self.publish()
        return self.published[profile_id]

    @property
    def alerts(self) -> list[tuple[str, str]]:
        """Kind and state of the published alerts, in order."""
        return [(alert.kind, alert.state) for alert in self.bus.of(Alert)]

    def _received(self, events: Sequence[Any]) -> list[Received[Any]]:
        received: list[Received[Any]] = []
        for event in events:
            offset = self._offsets.get(event.topic, 0)
            self._offsets[event.topic] = offset + 1
            received.append(Received(event, event.topic, 0, offset))
        return received


def outcome(number: int, status: Any, at: datetime, profile_id: str = "sales", **more: Any) -> DeliveryOutcome:
    """An outcome of the delivery with this number. `more` may give another recipient."""
    fields: dict[str, Any] = {
        "package_id": "shop",
        "message_id": "msg_1",
        "delivery_id": f"dlv_{profile_id}_{number}",
        "lane": "open",
        "recipient": f"2010{number:08}",
        "status": status,
        "at": at,
        "profile_id": profile_id,
    }
    return DeliveryOutcome(**(fields | more))


def customer_message(number: int, at: datetime, profile_id: str = "sales", **more: Any) -> CustomerMessage:
    """A message by the recipient of the delivery with this number."""
    fields: dict[str, Any] = {
        "package_id": "shop",
        "profile_id": profile_id,
        "recipient": f"2010{number:08}",
        "at": at,
        "gateway_message_id": f"wamid.{profile_id}.{number}.{at.isoformat()}",
    }
    return CustomerMessage(**(fields | more))


def report(at: datetime, profile_id: str = "sales", **fields: Any) -> ProfileReported:
    return ProfileReported(
        profile_id=profile_id, package_id="shop", report_id=at.isoformat(), evidence="it said so", at=at, **fields
    )
