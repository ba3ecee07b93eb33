"""Testing: the stats without Kafka, on a real Postgres; no production module imports this one."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.clock import Clock
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
from stats.api.alerts import AlertEndpoints
from stats.api.event_stream import EventStream
from stats.api.exports import ExportEndpoints
from stats.api.profiles import ProfileEndpoints
from stats.api.reports import ReportEndpoints
from stats.config_cache import StatsConfigCache
from stats.counting.handlers import CountingHandlers
from stats.counting.lane_closures import LaneClosures
from stats.counting.store import CountStore
from stats.health.current_state import CurrentState
from stats.health.evaluator import Evaluator
from stats.health.publisher import AlertPublisher, StatePublisher
from stats.health.resume import Resumption
from stats.health.triggers import Attention


def profile(name: str, driver: Any = "simulator", holder: str | None = None, **settings: Any) -> Profile:
    gateway = Gateway(driver=driver, base_url="http://gateway", account=name, holder=holder)
    return Profile(profile_id=name, name=name.title(), phone="201001234567", gateway=gateway, **settings)


def package(name: str, *profiles: Profile) -> Package:
    return Package(package_id=name, version=1, name=name.title(), profiles=profiles)


class StatsHarness:
    """All parts around one clock; what is published comes back, as the compacted topics bring it."""

    def __init__(self, engine: AsyncEngine, now: datetime, *packages: Package) -> None:
        self.engine = engine
        self.clock = ManualClock(now)
        self.bus = MemoryBus(now)
        self.configured = MemoryTable({each.package_id: PackageConfigured(package=each, at=now) for each in packages})
        self.published: dict[str, ProfileState] = {}
        self.store = CountStore(engine, OffsetStore("stats", "cluster"))
        self.directory = StatsConfigCache(self.configured)
        self.lanes, self.present = LaneClosures(self.directory.restricted_together), CurrentState(self.store)
        self.publication = StatePublisher(self.present, self.directory, self.bus, self.clock, self.published)
        self.announcement = AlertPublisher(engine, self.bus)
        self.judging = Evaluator(
            engine, self.directory, self.lanes, self.clock, self.publication.touch, again_seconds=0.0
        )
        self.attention = Attention(self.publication, self.judging)
        self.feed = EventStream(engine, Clock(), lifetime_seconds=0.5)
        self.counting = CountingHandlers(
            self.store, self.lanes, self.clock, self.attention.on_counts, self.attention.on_lanes
        )
        self._offsets: dict[str, int] = {}

    def app(self, key: str) -> FastAPI:
        app = FastAPI()
        problems.install(app)
        resuming = Resumption(self.engine, self.lanes, self.clock, self.attention.on_lanes)
        endpoints = ProfileEndpoints(self.present, self.directory, resuming, self.clock, lambda: None)
        more = (
            ReportEndpoints(self.engine, self.clock),
            AlertEndpoints(self.engine, self.clock),
            ExportEndpoints(self.engine, self.clock),
        )
        routers = [*(each.router() for each in more), self.feed.router(self.published)]
        app.include_router(endpoints.router(key, routers))
        return app

    async def hears(self, *events: DeliveryOutcome | CustomerMessage | ProfileReported) -> None:
        """Each as a record of its own in one partition of its topic; those of one kind in one batch."""
        await self.counting.on_outcomes(self._received([each for each in events if isinstance(each, DeliveryOutcome)]))
        messages = [each for each in events if isinstance(each, CustomerMessage)]
        await self.counting.on_customer_messages(self._received(messages))
        await self.counting.on_reports(self._received([each for each in events if isinstance(each, ProfileReported)]))

    async def publish(self) -> list[ProfileState]:
        """The states that were news."""
        before = len(self.bus.of(ProfileState))
        await self.publication.turn()
        news = self.bus.of(ProfileState)[before:]
        self.published.update({state.profile_id: state for state in news})
        for state in news:
            self.feed.on_state(state.profile_id, state)
        return news

    async def judge(self) -> None:
        """Everything that waits to be judged, then what is to be told."""
        while await self.judging.turn() == 0:
            continue
        before = len(self.bus.of(Alert))
        await self.announcement.turn()
        for alert in self.bus.of(Alert)[before:]:
            self.feed.on_alert(alert.profile_id, alert)

    async def state(self, profile_id: str) -> ProfileState:
        """As the topic has it after everything is judged and published."""
        await self.judge()
        await self.publish()
        return self.published[profile_id]

    @property
    def alerts(self) -> list[tuple[str, str]]:
        """What was told: kind and state, in order."""
        return [(each.kind, each.state) for each in self.bus.of(Alert)]

    def _received(self, events: Sequence[Any]) -> list[Received[Any]]:
        received: list[Received[Any]] = []
        for event in events:
            offset = self._offsets.get(event.topic, 0)
            self._offsets[event.topic] = offset + 1
            received.append(Received(event, event.topic, 0, offset))
        return received


def outcome(number: int, status: Any, at: datetime, profile_id: str = "sales", **more: Any) -> DeliveryOutcome:
    """Of the delivery with this number, which has a recipient of its own unless another is named."""
    told: dict[str, Any] = {
        "package_id": "shop", "message_id": "msg_1", "delivery_id": f"dlv_{profile_id}_{number}", "lane": "open",
        "recipient": f"2010{number:08}", "status": status, "at": at, "profile_id": profile_id,
    }  # fmt: skip
    return DeliveryOutcome(**(told | more))


def written(number: int, at: datetime, profile_id: str = "sales", **more: Any) -> CustomerMessage:
    """By the recipient of the delivery with this number."""
    told: dict[str, Any] = {
        "package_id": "shop", "profile_id": profile_id, "recipient": f"2010{number:08}", "at": at,
        "gateway_message_id": f"wamid.{profile_id}.{number}.{at.isoformat()}",
    }  # fmt: skip
    return CustomerMessage(**(told | more))


def reported(at: datetime, profile_id: str = "sales", **said: Any) -> ProfileReported:
    return ProfileReported(
        profile_id=profile_id, package_id="shop", report_id=at.isoformat(), evidence="it said so", at=at, **said
    )
