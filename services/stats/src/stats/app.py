"""Assembly of the stats: the one place that knows which parts are real."""

from fastapi import APIRouter, FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from spreader.boundary import Boundary
from spreader.clock import Clock, clock_from_environment, wall_now
from spreader.events import Alert, CustomerMessage, DeliveryOutcome, PackageConfigured, ProfileReported, ProfileState
from spreader.kafka import UNHURRIED_MS, KafkaBus, create_broker
from spreader.loop import Loop
from spreader.parts import Kafka, Postgres
from spreader.positions import LivePositions
from spreader.postgres import create_engine
from spreader.service import Service
from spreader.table import Table
from stats import problems
from stats.alerting import Alerting
from stats.attention import Attention
from stats.directory import Directory
from stats.endpoints import Endpoints
from stats.exports import Exports
from stats.feed import Feed
from stats.gauges import Gauges
from stats.handlers import Counting
from stats.judging import Judging
from stats.lanes import Lanes
from stats.postgres import Store
from stats.postgres_evidence import STUCK_AFTER
from stats.postgres_retention import forget_old
from stats.present import Present
from stats.publication import Announcement, Publication
from stats.recounting import Patience, Recounting
from stats.reports import Reports
from stats.resuming import Resuming
from stats.settings import StatsSettings

GROUP = "stats"
FORGET_EVERY_SECONDS = 600.0
BEHIND_SECONDS_MAX = 30.0
"""Records that wait longer than that may be the receipts of what was counted as sent: nobody is judged then."""
READ = (DeliveryOutcome.topic, CustomerMessage.topic, ProfileReported.topic)


def build(settings: StatsSettings) -> FastAPI:
    key = settings.required_api_key
    clock = clock_from_environment()
    engine = create_engine(settings, "stats")
    broker = create_broker(settings, "stats")
    bus = KafkaBus(broker, "stats", clock)
    feed = Feed(engine, clock)
    configuration, states = Table(settings, PackageConfigured), Table(settings, ProfileState, feed.on_state)
    alerts = Table(settings, Alert, feed.on_alert)
    positions = LivePositions(settings, engine, "stats", READ)

    store, directory = Store(engine, positions), Directory(configuration.rows)
    present, lanes = Present(store), Lanes(directory.fellows)
    publication = Publication(present, directory, bus, clock, states.rows)
    begun = wall_now()

    def is_behind() -> bool:
        return kafka.behind_seconds > BEHIND_SECONDS_MAX

    def silence_tells() -> bool:
        return wall_now() - begun > STUCK_AFTER

    judging = Judging(engine, directory, lanes, clock, publication.touch, is_behind, silence_tells)

    recounting = Recounting(engine, directory.profiles, clock, Patience.of(clock))
    attention = Attention(publication, judging, recounting.look_at)
    counting = Counting(store, lanes, clock, attention.on_counts, attention.on_lanes)
    boundaries = (
        Boundary(GROUP, counting.on_outcomes, (DeliveryOutcome,), bus),
        Boundary(GROUP, counting.on_customer_messages, (CustomerMessage,), bus),
        Boundary(GROUP, counting.on_reports, (ProfileReported,), bus),
    )
    for boundary in boundaries:
        boundary.listen(broker, settings, gather_ms=UNHURRIED_MS)
    kafka = Kafka(broker, settings, boundaries)

    async def forget() -> float:
        return 0 if await forget_old(engine, clock()) else FORGET_EVERY_SECONDS

    parts = [
        Postgres(engine, "stats"),
        configuration,
        states,
        alerts,
        positions,
        kafka,
        Loop("publish profile states", publication.turn),
        Loop("tell of alerts", Announcement(engine, bus).turn),
        Loop("judge profiles", judging.turn),
        Loop("recount the limits", recounting.turn),
        Loop("show packages and alerts", Gauges(engine, directory, states.rows).turn),
        Loop("forget old counts", forget),
    ]
    app = Service("stats", parts).app(title="Spreader stats")
    problems.install(app)
    resuming = Resuming(engine, lanes, clock, attention.on_lanes)
    endpoints = Endpoints(present, directory, resuming, clock, configuration.trouble)
    app.include_router(endpoints.router(key, [*_views(engine, clock), feed.router(states.rows)]))
    return app


def _views(engine: AsyncEngine, clock: Clock) -> list[APIRouter]:
    """What only reads, and reads Postgres alone; but for the alerts, which may be acknowledged."""
    return [Reports(engine, clock).router(), Alerting(engine, clock).router(), Exports(engine, clock).router()]
