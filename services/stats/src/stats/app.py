"""Assembly of the stats: the one place that knows which parts are real."""

from fastapi import FastAPI

from spreader.boundary import Boundary
from spreader.clock import clock_from_environment
from spreader.events import CustomerMessage, DeliveryOutcome, PackageConfigured, ProfileState
from spreader.kafka import UNHURRIED_WAIT_MS, KafkaBus, create_broker
from spreader.loop import Loop
from spreader.parts import Kafka, Postgres
from spreader.positions import LivePositions
from spreader.postgres import create_engine
from spreader.service import Service
from spreader.table import Table
from stats import problems
from stats.endpoints import Endpoints
from stats.handlers import Counting
from stats.postgres import Store
from stats.publication import Publication
from stats.settings import StatsSettings

GROUP = "stats"
FORGET_EVERY_SECONDS = 600.0


def build(settings: StatsSettings) -> FastAPI:
    key = settings.required_api_key
    clock = clock_from_environment()
    engine = create_engine(settings, "stats")
    broker = create_broker(settings, "stats")
    bus = KafkaBus(broker, "stats", clock)
    configuration, states = Table(settings, PackageConfigured), Table(settings, ProfileState)
    positions = LivePositions(settings, engine, "stats", (DeliveryOutcome.topic, CustomerMessage.topic))

    store = Store(engine, positions)
    publication = Publication(store, bus, clock, configuration.rows, states.rows)
    counting = Counting(store, publication.touch)
    boundaries = (
        Boundary(GROUP, counting.on_outcomes, (DeliveryOutcome,), bus),
        Boundary(GROUP, counting.on_customer_messages, (CustomerMessage,), bus),
    )
    for boundary in boundaries:
        boundary.listen(broker, settings, wait_ms=UNHURRIED_WAIT_MS)

    async def forget_old() -> float:
        return 0 if await store.forget_old(clock()) else FORGET_EVERY_SECONDS

    parts = [
        Postgres(engine, "stats"),
        configuration,
        states,
        positions,
        Kafka(broker, settings, boundaries),
        Loop("publish profile states", publication.turn),
        Loop("forget old counts", forget_old),
    ]
    app = Service("stats", parts).app(title="Spreader stats")
    problems.install(app)
    app.include_router(Endpoints(store, clock, configuration.rows, configuration.trouble).router(key))
    return app
