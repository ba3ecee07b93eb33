"""Assembly of the pacer: the one place that knows which parts are real."""

from typing import Any

from fastapi import FastAPI

from pacer.announcer import Announcer
from pacer.core.policy import Margins
from pacer.directory import Tables
from pacer.endpoints import add_endpoints
from pacer.explaining import Explaining
from pacer.foreseeing import Foreseeing
from pacer.habits import Habits
from pacer.handlers import Handlers
from pacer.heeding import Heeding
from pacer.housekeeping import Housekeeping
from pacer.paces import Paces
from pacer.queue import Queue
from pacer.releasing import Releasing
from pacer.settings import PacerSettings
from pacer.waking import Waking
from spreader.boundary import Boundary
from spreader.clock import clock_from_environment
from spreader.events import (
    ConsentChanged,
    CustomerMessage,
    DeliveryOutcome,
    MessageCancelled,
    OpenDeliveriesAssigned,
    PackageConfigured,
    ProfileState,
)
from spreader.kafka import BATCH_RECORDS_MAX, KafkaBus, create_broker
from spreader.loop import Loop
from spreader.parts import Kafka, Postgres
from spreader.positions import LivePositions
from spreader.postgres import create_engine
from spreader.progress import Progress
from spreader.service import Service
from spreader.table import Table
from spreader.tracing import Tracing

GROUP = "pacer"
INTAKE_RECORDS_MAX = 20  # of up to 500 deliveries each: one transaction of at most 10,000 rows
COUNTED = tuple(
    kind.topic for kind in (OpenDeliveriesAssigned, DeliveryOutcome, MessageCancelled, CustomerMessage, ConsentChanged)
)


def build(settings: PacerSettings) -> FastAPI:
    clock, tracing = clock_from_environment(), Tracing.of(GROUP, settings)
    margins = Margins(clock.system(settings.release_margin), clock.system(settings.send_margin))
    engine = create_engine(settings, GROUP)
    broker = create_broker(settings, GROUP)
    bus = KafkaBus(broker, GROUP, clock)

    def on_configured(package_id: str, event: PackageConfigured | None) -> None:
        directory.learn(package_id, event)
        waking.configured(package_id, None if event is None else event.package)
        release_loop.wake()
        heeding.configured(package_id)
        heed_loop.wake()

    def on_state(_: str, event: ProfileState | None) -> None:
        if event is not None and directory.is_news(event):
            waking.touch(event.package_id)
            release_loop.wake()

    configuration = Table(settings, PackageConfigured, on_configured)
    states = Table(settings, ProfileState, on_state)
    directory = Tables(configuration, states, margins)
    paces = Paces(bus, engine)
    announcer_loop = Loop("announce", Announcer(engine, bus, clock, tracing).turn)
    waking = Waking(engine)
    releasing = Releasing(
        engine, directory, clock, settings.pacer_profiles_a_turn, paces.note, announcer_loop.wake, waking
    )
    release_loop = Loop("release", releasing.turn)
    housekeeping = Housekeeping(engine, clock, announcer_loop.wake)
    progress = Progress(settings, GROUP)
    heeding = Heeding(engine, directory, progress, announcer_loop.wake)
    heed_loop = Loop("heed opt-ins", heeding.turn)
    positions = LivePositions(settings, engine, GROUP, COUNTED)

    queue = Queue(engine, clock, Habits(directory))
    wakes = release_loop.wake, announcer_loop.wake, heed_loop.wake
    handlers = Handlers(queue, heeding, positions, directory, *wakes)
    boundaries = _boundaries(handlers, bus, tracing)
    for boundary in boundaries:
        boundary.listen(broker, settings, _records_max(boundary))

    service = Service(
        GROUP,
        [
            tracing,
            Postgres(engine, GROUP),
            *(configuration, states, positions, progress),
            Kafka(broker, settings, boundaries),
            announcer_loop,
            release_loop,
            heed_loop,
            Loop("tell the pace", paces.turn),
            *housekeeping.loops(),
        ],
    )
    app = service.app(title="Spreader pacer")
    add_endpoints(app, Foreseeing(engine, directory, clock), Explaining(engine, directory, clock))
    return app


def _boundaries(handlers: Handlers, bus: KafkaBus, tracing: Tracing) -> tuple[Boundary[Any], ...]:
    """One for each topic."""
    return (
        Boundary(GROUP, handlers.on_assigned, (OpenDeliveriesAssigned,), bus, tracing),
        Boundary(GROUP, handlers.on_outcome, (DeliveryOutcome,), bus),
        Boundary(GROUP, handlers.on_cancelled, (MessageCancelled,), bus),
        Boundary(GROUP, handlers.on_customer, (CustomerMessage,), bus),
        Boundary(GROUP, handlers.on_consent, (ConsentChanged,), bus),
    )


def _records_max(boundary: Boundary[Any]) -> int:
    return INTAKE_RECORDS_MAX if OpenDeliveriesAssigned in boundary.accepts else BATCH_RECORDS_MAX
