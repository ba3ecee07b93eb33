"""Assembly of the pacer: builds its components and connects them."""

from typing import Any

from fastapi import FastAPI

from pacer.config_cache import PacerConfigCache
from pacer.core.policy import Margins
from pacer.intake.consent_enforcer import ConsentEnforcer
from pacer.intake.handlers import Handlers, Wakes
from pacer.intake.held_queue import HeldQueue
from pacer.intake.new_numbers import NewNumbers
from pacer.intake.read_times import ReadTimes
from pacer.intake.stopper import Stopper
from pacer.release.configuration_changes import ConfigurationChanges
from pacer.release.freshness import Freshness
from pacer.release.known_events import PACKAGES, STATES, KnownConfiguration, KnownEvents
from pacer.release.loop import ReleaseLoop
from pacer.release.maintenance import QueueMaintenance
from pacer.release.outbox_relay import QueueOutboxRelay
from pacer.release.outcome_requests import OutcomeRequests
from pacer.release.rescheduler import Rescheduler
from pacer.settings import PacerSettings
from pacer.sql.erasures import REMOVALS, WAITS
from pacer.views.endpoints import add_endpoints, add_other_endpoints
from pacer.views.explain import Explainer
from pacer.views.forecast import Forecaster
from pacer.views.forecast_process import ForecastProcess
from pacer.views.pace_publisher import PacePublisher
from pacer.views.queue_lengths import QueueLengths
from pacer.views.recipient_habits import RecipientHabits
from spreader.clock import clock_from_environment
from spreader.consent import ConsentTable
from spreader.contract.events import (
    ConsentChanged,
    CustomerMessage,
    DeliveryOutcome,
    MessageCancelled,
    OpenDeliveriesAssigned,
    OpenDeliveriesWaiting,
    PackageConfigured,
    ProfileState,
    RecipientErased,
)
from spreader.erasure.eraser import Eraser, report_to
from spreader.erasure.postgres import ErasureTable
from spreader.http.auth import internal_only
from spreader.http.service_client import HttpServiceClient
from spreader.kafka.client import KafkaBus, create_broker
from spreader.kafka.component import KafkaComponent
from spreader.kafka.dead_letter import DeadLetterBus
from spreader.kafka.group_progress import GroupProgress
from spreader.kafka.guarded_consumer import GuardedConsumer
from spreader.kafka.offset_store import OffsetStoreComponent
from spreader.kafka.subscription import BATCH_RECORDS_MAX, GATHER_BRIEFLY, GATHER_COMMITS, NO_GATHERING, Gathering
from spreader.runtime.loop import Loop
from spreader.runtime.postgres import create_engine
from spreader.runtime.postgres_component import PostgresComponent
from spreader.runtime.service import Service
from spreader.telemetry.tracing import Tracing

GROUP = "pacer"
INTAKE_RECORDS_MAX = 20  # a record has up to 500 deliveries, so a transaction stores at most 10,000 rows
ASSIGNMENTS = (OpenDeliveriesAssigned, OpenDeliveriesWaiting)
TOPICS = tuple(
    kind.topic for kind in (OpenDeliveriesAssigned, DeliveryOutcome, MessageCancelled, CustomerMessage, ConsentChanged)
)
"""For these topics, the processed offsets are stored together with the effects of the records."""


def build(settings: PacerSettings) -> FastAPI:
    clock, tracing = clock_from_environment(), Tracing.of(GROUP, settings)
    margins = Margins(clock.system(settings.release_margin), clock.system(settings.send_margin))
    engine = create_engine(settings, GROUP)
    broker = create_broker(settings, GROUP)
    bus = KafkaBus(broker, GROUP, clock)
    events = DeadLetterBus(bus, GROUP)

    packages = KnownEvents(settings, PackageConfigured, engine, PACKAGES)
    states = KnownEvents(settings, ProfileState, engine, STATES)
    known = KnownConfiguration(packages, states)
    freshness = Freshness((packages, states), settings.pacer_silence_seconds)
    config = PacerConfigCache(packages, states, margins, packages.is_read, freshness.not_ready_reason)
    pace_publisher = PacePublisher(events, QueueLengths(engine))
    relay_loop = Loop("announce", QueueOutboxRelay(engine, bus, events, clock, tracing).relay)
    rescheduler = Rescheduler(engine)
    profiles_max = settings.pacer_profiles_a_turn
    releases = ReleaseLoop(
        engine, config, clock, profiles_max, pace_publisher.on_pass, relay_loop.wake, rescheduler, known
    )
    release_loop = Loop("release", releases.run_pass)
    progress = GroupProgress(settings, GROUP)
    consents, erasures = ConsentTable(GROUP, settings.internal_token), ErasureTable(GROUP, settings.internal_token)
    consent_enforcer = ConsentEnforcer(engine, config, progress, relay_loop.wake, consents=consents)
    consent_loop = Loop("heed opt-ins", consent_enforcer.enforce)
    changes = ConfigurationChanges(config, rescheduler, consent_enforcer, release_loop.wake, consent_loop.wake)
    packages.follow(changes.on_package)
    states.follow(changes.on_state)
    stopper_loop = Loop("end stopped deliveries", Stopper(engine, relay_loop.wake).end_piece)
    offset_store = OffsetStoreComponent(settings, engine, GROUP, TOPICS)

    eraser = Eraser(engine, erasures, clock, REMOVALS, report_to(events), WAITS, on_removed=relay_loop.wake)
    wakes = Wakes(release_loop.wake, relay_loop.wake, consent_loop.wake, stopper_loop.wake)
    queue = HeldQueue(engine, clock, ReadTimes(config), erasures)
    handlers = Handlers(queue, consent_enforcer, offset_store, config, wakes)
    consumers = _consumers(handlers, eraser, bus, tracing)
    for consumer in consumers:
        consumer.subscribe(broker, settings, _records_max(consumer), _gathering(consumer))

    sender = HttpServiceClient("sender", settings.sender_url, settings.internal_token)
    outcome_requests = OutcomeRequests(engine, clock, sender, settings.outcome_wait)
    forecasts = ForecastProcess()
    service = Service(
        GROUP,
        [
            tracing,
            PostgresComponent(engine, GROUP, migrates=settings.database_migrate),
            *(packages, states, freshness, offset_store, progress),
            KafkaComponent(broker, settings, consumers),
            *(relay_loop, release_loop, consent_loop, stopper_loop, eraser.loop),
            *pace_publisher.loops(),
            *QueueMaintenance(engine, clock, relay_loop.wake, settings.contact_keep, config.stale_reason).loops(),
            sender,
            *(Loop("ask for outcomes", outcome_requests.look), forecasts),
        ],
    )
    app = service.app(title="Spreader pacer", middleware=internal_only(settings.internal_token))
    add_endpoints(app, Forecaster(engine, config, clock, forecasts.compute), Explainer(engine, config, clock))
    add_other_endpoints(app, outcome_requests, RecipientHabits(engine), NewNumbers(engine, config, clock, erasures))
    return app


def _consumers(handlers: Handlers, eraser: Eraser, bus: KafkaBus, tracing: Tracing) -> tuple[GuardedConsumer[Any], ...]:
    """One consumer for each topic that the pacer handles."""
    return (
        GuardedConsumer(GROUP, handlers.on_assigned, ASSIGNMENTS, bus, tracing, handlers.ends_of_refused),
        GuardedConsumer(GROUP, handlers.on_outcome, (DeliveryOutcome,), bus),
        GuardedConsumer(GROUP, handlers.on_cancelled, (MessageCancelled,), bus),
        GuardedConsumer(GROUP, handlers.on_customer, (CustomerMessage,), bus),
        GuardedConsumer(GROUP, handlers.on_consent, (ConsentChanged,), bus),
        GuardedConsumer(GROUP, eraser.on_erased, (RecipientErased,), bus),
    )


def _gathering(consumer: GuardedConsumer[Any]) -> Gathering:
    """What a consumer gathers to save processor time: records for a common batch, offsets for a common commit. An
    outcome only makes room for later releases, so its consumer may wait 100 ms for more outcomes. For outcomes and
    customers' messages, the offsets are committed once a second. Consents are committed at once, because the check of
    opt-ins waits for these commits."""
    if DeliveryOutcome in consumer.accepts:
        return GATHER_BRIEFLY
    return GATHER_COMMITS if CustomerMessage in consumer.accepts else NO_GATHERING


def _records_max(consumer: GuardedConsumer[Any]) -> int:
    return INTAKE_RECORDS_MAX if OpenDeliveriesAssigned in consumer.accepts else BATCH_RECORDS_MAX
