"""Assembly of the stats: the one place that knows which parts are real."""

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
)
from spreader.http import problems
from spreader.kafka.client import GATHER_MS, KafkaBus, create_broker
from spreader.kafka.component import KafkaComponent
from spreader.kafka.guarded_consumer import GuardedConsumer
from spreader.kafka.offset_store import OffsetStoreComponent
from spreader.kafka.table import Table
from spreader.runtime.loop import Loop
from spreader.runtime.postgres import create_engine
from spreader.runtime.postgres_component import PostgresComponent
from spreader.runtime.retention import retention_loop
from spreader.runtime.service import Service
from stats.api.alerts import AlertEndpoints
from stats.api.event_stream import EventStream
from stats.api.exports import ExportEndpoints
from stats.api.profiles import ProfileEndpoints
from stats.api.reports import ReportEndpoints
from stats.config_cache import StatsConfigCache
from stats.counting.handlers import CountingHandlers
from stats.counting.lane_closures import LaneClosures
from stats.counting.limit_audit import AuditDelays, LimitAudit
from stats.counting.retention import Retention
from stats.counting.store import CountStore
from stats.health.current_state import CurrentState
from stats.health.evaluator import Evaluator
from stats.health.package_gauges import PackageGauges
from stats.health.publisher import AlertPublisher, StatePublisher
from stats.health.resume import Resumption
from stats.health.sql_evidence import STUCK_AFTER
from stats.health.triggers import Attention
from stats.settings import StatsSettings

GROUP = "stats"
DELETE_ROWS_MAX = 10_000
DELETE_EVERY_SECONDS = 600.0
BEHIND_SECONDS_MAX = 30.0
"""Records that wait longer than that may be the receipts of what was counted as sent: nobody is judged then."""
READ = (DeliveryOutcome.topic, CustomerMessage.topic, ProfileReported.topic)


def build(settings: StatsSettings) -> FastAPI:
    key = settings.required_api_key
    clock = clock_from_environment()
    engine = create_engine(settings, "stats")
    broker = create_broker(settings, "stats")
    bus = KafkaBus(broker, "stats", clock)
    feed = EventStream(engine, clock)
    configuration, states = Table(settings, PackageConfigured), Table(settings, ProfileState, feed.on_state)
    alerts = Table(settings, Alert, feed.on_alert)
    positions = OffsetStoreComponent(settings, engine, "stats", READ)

    store, directory = CountStore(engine, positions), StatsConfigCache(configuration)
    present, lanes = CurrentState(store), LaneClosures(directory.restricted_together)
    publication = StatePublisher(present, directory, bus, clock, states.rows)
    begun = wall_now()

    def is_behind() -> bool:
        return kafka.behind_seconds > BEHIND_SECONDS_MAX

    def silence_tells() -> bool:
        return wall_now() - begun > STUCK_AFTER

    judging = Evaluator(engine, directory, lanes, clock, publication.touch, is_behind, silence_tells)

    recounting = LimitAudit(engine, directory.profiles, clock, AuditDelays.of(clock))
    attention = Attention(publication, judging, recounting.look_at)
    counting = CountingHandlers(store, lanes, clock, attention.on_counts, attention.on_lanes)
    boundaries = (
        GuardedConsumer(GROUP, counting.on_outcomes, (DeliveryOutcome,), bus),
        GuardedConsumer(GROUP, counting.on_customer_messages, (CustomerMessage,), bus),
        GuardedConsumer(GROUP, counting.on_reports, (ProfileReported,), bus),
    )
    for boundary in boundaries:
        boundary.subscribe(broker, settings, gather_ms=GATHER_MS)
    kafka = KafkaComponent(broker, settings, boundaries)

    parts = [
        PostgresComponent(engine, "stats"),
        configuration,
        states,
        alerts,
        positions,
        kafka,
        Loop("publish profile states", publication.turn),
        Loop("tell of alerts", AlertPublisher(engine, bus).turn),
        Loop("judge profiles", judging.turn),
        Loop("recount the limits", recounting.turn),
        Loop("show packages and alerts", PackageGauges(engine, directory, states.rows).turn),
        retention_loop("forget old counts", Retention(engine, clock).delete_old, DELETE_ROWS_MAX, DELETE_EVERY_SECONDS),
    ]
    app = Service("stats", parts).app(title="Spreader stats")
    problems.install(app)
    resuming = Resumption(engine, lanes, clock, attention.on_lanes)
    endpoints = ProfileEndpoints(present, directory, resuming, clock, configuration.not_ready_reason)
    app.include_router(endpoints.router(key, [*_views(engine, clock), feed.router(states.rows)]))
    return app


def _views(engine: AsyncEngine, clock: Clock) -> list[APIRouter]:
    """What only reads, and reads Postgres alone; but for the alerts, which may be acknowledged."""
    return [
        ReportEndpoints(engine, clock).router(),
        AlertEndpoints(engine, clock).router(),
        ExportEndpoints(engine, clock).router(),
    ]
