"""Assembly: builds stats from its components."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.clock import Clock, clock_from_environment, wall_now
from spreader.contract.events import (
    Alert,
    CustomerMessage,
    DeliveryOutcome,
    PackageConfigured,
    ProfileReported,
    ProfileState,
    RecipientErased,
)
from spreader.erasure.eraser import Eraser, report_to
from spreader.erasure.postgres import ErasureTable
from spreader.http import problems
from spreader.kafka.client import KafkaBus, create_broker
from spreader.kafka.component import KafkaComponent
from spreader.kafka.dead_letter import DeadLetterBus
from spreader.kafka.guarded_consumer import GuardedConsumer
from spreader.kafka.offset_store import OffsetStoreComponent
from spreader.kafka.subscription import GATHER
from spreader.kafka.table import Table
from spreader.runtime.component import Component
from spreader.runtime.loop import Loop
from spreader.runtime.postgres import create_engine
from spreader.runtime.postgres_component import PostgresComponent
from spreader.runtime.retention import Retention, retention_loop
from spreader.runtime.service import Service
from spreader.runtime.sql_spelling_merge import spelling_loop
from stats.api import openapi
from stats.api.alerts import AlertEndpoints
from stats.api.event_stream import OVERLAP, EventStream
from stats.api.packages import PackageEndpoint
from stats.api.problems import KINDS
from stats.api.profiles import ProfileEndpoints
from stats.api.reports import ReportEndpoints
from stats.config_cache import StatsConfigCache
from stats.counting.handlers import CountingHandlers, notify_all
from stats.counting.lane_closures import LaneClosures
from stats.counting.limit_audit import AuditDelays, LimitAudit
from stats.counting.retention import old_rows
from stats.counting.sql_erasures import REMOVALS
from stats.counting.sql_spellings import MERGES
from stats.counting.store import CountStore
from stats.exports.endpoint import ExportEndpoint
from stats.exports.slots import ExportSlots
from stats.health.current_state import CurrentState
from stats.health.evaluator import Evaluator
from stats.health.package_gauges import PackageGauges
from stats.health.publisher import AlertPublisher, StatePublisher
from stats.health.removed_profiles import RemovedProfiles
from stats.health.resume import Resumption
from stats.health.sql_evidence import STUCK_AFTER
from stats.settings import StatsSettings

GROUP = "stats"
BEHIND_SECONDS_MAX = 30.0
"""While the oldest unread record is older than this, no profile is evaluated, because receipts may be among the unread
records."""
READ = (DeliveryOutcome.topic, CustomerMessage.topic, ProfileReported.topic)


def build(settings: StatsSettings) -> FastAPI:
    key, clock = settings.required_api_key, clock_from_environment()
    engine, broker = create_engine(settings, "stats"), create_broker(settings, "stats")
    exports_engine = create_engine(settings, "stats-exports", settings.stats_export_connections)
    bus = KafkaBus(broker, "stats", clock)
    events, stream = DeadLetterBus(bus, "stats"), EventStream(engine, clock, clock.system(OVERLAP))
    packages, states = Table(settings, PackageConfigured), Table(settings, ProfileState, stream.on_state)
    alerts = Table(settings, Alert, stream.on_alert)
    deduplicator = OffsetStoreComponent(settings, engine, "stats", READ)
    erasures = ErasureTable(GROUP, settings.internal_token)
    store, config = CountStore(engine, deduplicator, erasures), StatsConfigCache(packages)
    eraser = Eraser(engine, erasures, clock, REMOVALS, report_to(events))
    current_state = CurrentState(store, config.added_at)
    closures = LaneClosures(config.same_holder_as, config.added_at)
    publisher = StatePublisher(current_state, config, events, clock, states.rows, lambda: kafka.cluster_id)
    started_at = wall_now()

    def is_behind() -> bool:
        return kafka.behind_seconds > BEHIND_SECONDS_MAX

    def can_detect_stuck() -> bool:
        return wall_now() - started_at > STUCK_AFTER

    evaluator = Evaluator(engine, config, closures, clock, publisher.touch, is_behind, can_detect_stuck)
    audit = LimitAudit(store, config.profiles, clock, AuditDelays.of(clock))
    on_counts = notify_all(publisher.touch, evaluator.schedule, audit.schedule)
    on_lanes = notify_all(publisher.touch, evaluator.schedule_now)

    handlers = CountingHandlers(store, closures, clock, on_counts, on_lanes)
    consumers = _consumers(handlers, eraser, bus)
    for consumer in consumers:
        consumer.subscribe(broker, settings, gathering=GATHER)
    kafka = KafkaComponent(broker, settings, consumers)

    components = [
        PostgresComponent(engine, "stats", others=[exports_engine], migrates=settings.database_migrate),
        packages,
        states,
        alerts,
        deduplicator,
        kafka,
        eraser.loop,
        Loop("publish profile states", publisher.turn),
        Loop("end removed profiles", RemovedProfiles(engine, config, bus, clock, states.rows).turn),
        Loop("tell of alerts", AlertPublisher(engine, events).turn),
        Loop("judge profiles", evaluator.turn),
        Loop("recount the limits", audit.turn),
        Loop("show packages and alerts", PackageGauges(engine, config, states.rows).turn),
        *_retention(settings, engine, clock),
    ]
    app = _app(components)
    resumption = Resumption(engine, closures, clock, on_lanes)
    endpoints = ProfileEndpoints(current_state, config, states.rows, resumption, clock, packages.not_ready_reason)
    more = [
        *_database_routers(engine, clock, config, states.rows),
        _exports(settings, exports_engine, clock),
        stream.router(states.rows),
    ]
    app.include_router(endpoints.router(key, more))
    return app


def _consumers(handlers: CountingHandlers, eraser: Eraser, bus: KafkaBus) -> tuple[GuardedConsumer[Any], ...]:
    return (
        GuardedConsumer(GROUP, handlers.on_outcomes, (DeliveryOutcome,), bus),
        GuardedConsumer(GROUP, handlers.on_customer_messages, (CustomerMessage,), bus),
        GuardedConsumer(GROUP, handlers.on_reports, (ProfileReported,), bus),
        GuardedConsumer(GROUP, eraser.on_erased, (RecipientErased,), bus),
    )


def _retention(settings: StatsSettings, engine: AsyncEngine, clock: Clock) -> tuple[Loop, ...]:
    kept = old_rows(settings.keep)
    forgetting = retention_loop("forget old counts", Retention(engine, clock, lambda: kept).delete_old)
    return forgetting, spelling_loop(engine, MERGES)


def _exports(settings: StatsSettings, engine: AsyncEngine, clock: Clock) -> APIRouter:
    slots = ExportSlots(settings.stats_exports_max, settings.stats_export_connections)
    return ExportEndpoint(engine, slots, clock).router()


def _app(components: Sequence[Component]) -> FastAPI:
    """The app with its problems and its OpenAPI document. The caller adds the endpoints."""
    app = Service("stats", components).app(title=openapi.TITLE)
    problems.install(app, KINDS)
    openapi.install(app)
    return app


def _database_routers(
    engine: AsyncEngine, clock: Clock, config: StatsConfigCache, states: Mapping[str, ProfileState]
) -> list[APIRouter]:
    """The endpoints that need nothing but Postgres, the packages and the published states."""
    return [
        ReportEndpoints(engine, clock).router(),
        AlertEndpoints(engine, clock).router(),
        PackageEndpoint(engine, config, states).router(),
    ]
