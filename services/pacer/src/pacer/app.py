"""Assembly of the pacer: the one place that knows which parts are real."""

from typing import Any

from fastapi import FastAPI

from pacer.config_cache import PacerConfigCache
from pacer.core.policy import Margins
from pacer.intake.consent_enforcer import Heeding
from pacer.intake.handlers import Handlers
from pacer.intake.held_queue import Queue
from pacer.intake.read_times import Habits
from pacer.release.loop import Releasing
from pacer.release.maintenance import Housekeeping
from pacer.release.outbox_relay import Announcer
from pacer.release.rescheduler import Waking
from pacer.settings import PacerSettings
from pacer.views.endpoints import add_endpoints
from pacer.views.explain import Explaining
from pacer.views.forecast import Foreseeing
from pacer.views.pace_publisher import Paces
from spreader.clock import clock_from_environment
from spreader.contract.events import (
    ConsentChanged,
    CustomerMessage,
    DeliveryOutcome,
    MessageCancelled,
    OpenDeliveriesAssigned,
    PackageConfigured,
    ProfileState,
)
from spreader.kafka.client import BATCH_RECORDS_MAX, KafkaBus, create_broker
from spreader.kafka.component import KafkaComponent
from spreader.kafka.group_progress import GroupProgress
from spreader.kafka.guarded_consumer import GuardedConsumer
from spreader.kafka.offset_store import OffsetStoreComponent
from spreader.kafka.table import Table
from spreader.runtime.loop import Loop
from spreader.runtime.postgres import create_engine
from spreader.runtime.postgres_component import PostgresComponent
from spreader.runtime.service import Service
from spreader.telemetry.tracing import Tracing

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
        directory.on_package(package_id, event)
        waking.configured(package_id, None if event is None else event.package)
        release_loop.wake()
        heeding.configured(package_id)
        heed_loop.wake()

    def on_state(_: str, event: ProfileState | None) -> None:
        if event is not None and directory.changes_rules(event):
            waking.touch(event.package_id)
            release_loop.wake()

    configuration = Table(settings, PackageConfigured, on_configured)
    states = Table(settings, ProfileState, on_state)
    directory = PacerConfigCache(configuration, states, margins)
    paces = Paces(bus, engine)
    announcer_loop = Loop("announce", Announcer(engine, bus, clock, tracing).turn)
    waking = Waking(engine)
    releasing = Releasing(
        engine, directory, clock, settings.pacer_profiles_a_turn, paces.note, announcer_loop.wake, waking
    )
    release_loop = Loop("release", releasing.turn)
    housekeeping = Housekeeping(engine, clock, announcer_loop.wake)
    progress = GroupProgress(settings, GROUP)
    heeding = Heeding(engine, directory, progress, announcer_loop.wake)
    heed_loop = Loop("heed opt-ins", heeding.turn)
    positions = OffsetStoreComponent(settings, engine, GROUP, COUNTED)

    queue = Queue(engine, clock, Habits(directory))
    wakes = release_loop.wake, announcer_loop.wake, heed_loop.wake
    handlers = Handlers(queue, heeding, positions, directory, *wakes)
    boundaries = _boundaries(handlers, bus, tracing)
    for boundary in boundaries:
        boundary.subscribe(broker, settings, _records_max(boundary))

    service = Service(
        GROUP,
        [
            tracing,
            PostgresComponent(engine, GROUP),
            *(configuration, states, positions, progress),
            KafkaComponent(broker, settings, boundaries),
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


def _boundaries(handlers: Handlers, bus: KafkaBus, tracing: Tracing) -> tuple[GuardedConsumer[Any], ...]:
    """One for each topic."""
    return (
        GuardedConsumer(GROUP, handlers.on_assigned, (OpenDeliveriesAssigned,), bus, tracing),
        GuardedConsumer(GROUP, handlers.on_outcome, (DeliveryOutcome,), bus),
        GuardedConsumer(GROUP, handlers.on_cancelled, (MessageCancelled,), bus),
        GuardedConsumer(GROUP, handlers.on_customer, (CustomerMessage,), bus),
        GuardedConsumer(GROUP, handlers.on_consent, (ConsentChanged,), bus),
    )


def _records_max(boundary: GuardedConsumer[Any]) -> int:
    return INTAKE_RECORDS_MAX if OpenDeliveriesAssigned in boundary.accepts else BATCH_RECORDS_MAX
