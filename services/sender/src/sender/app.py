"""Assembly: builds the sender from its settings. No other module chooses the real components."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any

from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from sender.config_cache import SenderConfigCache
from sender.dispatch.attempt import AttemptRunner
from sender.dispatch.consent_check import ConsentCheck
from sender.dispatch.dispatcher import Dispatcher
from sender.dispatch.tracing import TracedAttempts
from sender.endpoints import CheckEndpoints, add_endpoints, add_hidden_id_endpoint, add_outcome_endpoint
from sender.gateways.cloud_api import CloudApiDriver
from sender.gateways.credentials import Keyring
from sender.gateways.driver import Driver, MediaSource
from sender.gateways.evolution import DEVICE as EVOLUTION_DEVICE
from sender.gateways.evolution import EvolutionDriver
from sender.gateways.health_poller import HealthPoller, PollPeriod
from sender.gateways.http_client import GatewayClient, Timeouts
from sender.gateways.linked_device import LinkedDevice
from sender.gateways.number_check import REMEMBERED_FOR, NumberChecker
from sender.gateways.number_resolver import NumberResolver
from sender.gateways.postgres import PostgresNumbers, PostgresPollSchedule, PostgresUploads
from sender.gateways.receipts import ReceiptHandler
from sender.gateways.registration import ProfileRegistration
from sender.gateways.simulator import SimulatorDriver
from sender.gateways.uploads import UPLOAD_VALID_FOR, UploadCache
from sender.gateways.waha import DEVICE as WAHA_DEVICE
from sender.gateways.waha import WahaDriver
from sender.ledger.backlog import BacklogGauges
from sender.ledger.call_starts import CallStarts
from sender.ledger.cancellations import Cancellations
from sender.ledger.delivery_rows import DELIVERY_TYPES
from sender.ledger.erasures import REMOVALS, WAITS
from sender.ledger.lost_outcomes import LostOutcomes
from sender.ledger.outbox import OutcomeOutbox
from sender.ledger.postgres import DeliveryLedger
from sender.ledger.result_writer import ResultWriter
from sender.ledger.retention import old_rows
from sender.linking.cloud_api import CloudApiWebhookSetter
from sender.linking.endpoints import LinkEndpoints, add_link_endpoints
from sender.linking.evolution import EvolutionLinker
from sender.linking.waha import WahaLinker
from sender.metrics import CARRIED, LANES
from sender.settings import LEASE_MARGIN_SECONDS, SenderSettings
from spreader.clock import Clock, clock_from_environment
from spreader.consent import ConsentFollower, ConsentTable
from spreader.contract import events
from spreader.contract.events import (
    ConsentChanged,
    DeliveryOutcome,
    MessageCancelled,
    PackageConfigured,
    RecipientErased,
)
from spreader.contract.ids import new_id
from spreader.erasure.eraser import Eraser, report_to
from spreader.erasure.postgres import ErasureTable
from spreader.http.auth import internal_only
from spreader.kafka.client import KafkaBus, create_broker
from spreader.kafka.component import KafkaComponent
from spreader.kafka.dead_letter import DeadLetterBus
from spreader.kafka.group_progress import GroupProgress
from spreader.kafka.guarded_consumer import GuardedConsumer
from spreader.kafka.offset_store import OffsetStoreComponent
from spreader.kafka.subscription import GATHER, GATHER_COMMITS, NO_GATHERING, Gathering
from spreader.kafka.table import Table
from spreader.media.safe_fetch import AddressFilter, MediaDownloader
from spreader.media.store import MediaCache, MediaStore
from spreader.runtime.component import Component
from spreader.runtime.loop import Loop
from spreader.runtime.postgres import create_engine
from spreader.runtime.postgres_component import PostgresComponent
from spreader.runtime.rehearsal import Rehearsal
from spreader.runtime.retention import Retention, retention_loop
from spreader.runtime.service import Service
from spreader.telemetry.tracing import Tracing

SERVICE = "sender"
CHECK_CONNECTIONS = 64
GATHERING: Mapping[events.Lane, Gathering] = {"reply": GATHER_COMMITS, "open": NO_GATHERING}
"""The reply lane commits its offsets once a second. The open lane commits after each batch, because the checks of
consents and of lost outcomes wait for its commits."""

WRITES: Mapping[events.Lane, Sequence[str]] = {"reply": (DeliveryOutcome.topic, events.Callback.topic), "open": ()}


@dataclass(frozen=True, slots=True)
class DriverFactory:
    """Makes a set of drivers for each HTTP client. So the calls of one lane never use the connections of another."""

    settings: SenderSettings
    keyring: Keyring
    media: MediaSource
    uploads: UploadCache
    numbers: NumberResolver

    def drivers(self, client: GatewayClient) -> Mapping[str, Driver]:
        settings, file_seconds = self.settings, self.settings.sender_file_seconds
        return {
            "simulator": SimulatorDriver(client, settings.sender_call_seconds, settings.ingress_url),
            "cloud_api": CloudApiDriver(client, self.keyring, self.media, self.uploads, file_seconds),
            "waha": WahaDriver(client, self.keyring, self.media, file_seconds, self.numbers),
            "evolution": EvolutionDriver(client, self.keyring, self.media, file_seconds),
        }


@dataclass(frozen=True, slots=True)
class LaneContext:
    """What both lanes share. It contains nothing that would make one lane wait for the other."""

    settings: SenderSettings
    clock: Clock
    config: SenderConfigCache
    worker: str
    driver_factory: DriverFactory
    tracing: Tracing
    erasures: ErasureTable


def build(settings: SenderSettings) -> FastAPI:
    """Builds the lanes of this process, and the components for work other than sends: checks, registration, uploads and
    receipts.

    That work has its own connections to Postgres, so that it cannot slow down a lane.
    """
    clock, tracing = clock_from_environment(), Tracing.of(SERVICE, settings)
    engine = create_engine(settings, f"{SERVICE}-gateways")
    check_client = GatewayClient("asking", CHECK_CONNECTIONS, _timeouts(settings))
    registrar = SimulatorDriver(check_client, settings.sender_call_seconds, settings.ingress_url)
    registration = ProfileRegistration({"simulator": registrar})
    bus_broker = create_broker(settings, f"{SERVICE}-gateways")
    media_store = MediaStore(settings.media_store, clock)
    media = MediaCache(media_store, MediaDownloader(AddressFilter.of(settings.media_hosts_allowed), settings.contact))
    erasures = ErasureTable(SERVICE, settings.internal_token)
    number_store = PostgresNumbers(engine, erasures)
    resolver = NumberResolver(number_store, clock, settings.sender_number_checks_per_hour)
    uploads = UploadCache(PostgresUploads(engine))
    driver_factory = DriverFactory(settings, Keyring(settings.secret_keys), media, uploads, resolver)
    drivers = driver_factory.drivers(check_client)
    bus = KafkaBus(bus_broker, SERVICE, clock)
    period = PollPeriod.of(timedelta(minutes=settings.sender_watch_minutes), clock, Random(os.urandom(8)))
    poller = HealthPoller(PostgresPollSchedule(engine), drivers, DeadLetterBus(bus, SERVICE), clock, period)

    def on_change(package_id: str, configured: PackageConfigured | None) -> None:
        registration.on_change(package_id, configured)
        poller.on_change(package_id, configured)

    packages = Table(settings, PackageConfigured, on_change)
    config = SenderConfigCache(packages)
    worker = f"{settings.instance or SERVICE}/{new_id('wrk', clock())}"
    progress = GroupProgress(settings, f"{SERVICE}-open")
    context = LaneContext(settings, clock, config, worker, driver_factory, tracing, erasures)
    kept = old_rows(settings.keep, UPLOAD_VALID_FOR, REMEMBERED_FOR)
    service = Service(
        SERVICE,
        [
            tracing,
            packages,
            check_client,
            registration,
            PostgresComponent(engine, SERVICE, "postgres of the gateways", migrates=settings.database_migrate),
            media_store,
            *build_lanes(context),
            *build_receipts(settings, engine, bus, clock),
            retention_loop("forget old rows", Retention(engine, clock, lambda: kept).delete_old),
            progress,
            KafkaComponent(bus_broker, settings, name="producer of the gateways"),
            poller,
        ],
    )
    app = service.app(title="Spreader sender", middleware=internal_only(settings.internal_token))
    numbers = NumberChecker(number_store, drivers, clock, settings.sender_number_checks_per_hour)
    add_endpoints(app, CheckEndpoints(drivers, config, numbers, poller))
    add_hidden_id_endpoint(app, drivers, config)
    add_link_endpoints(app, link_endpoints(driver_factory, check_client, config, poller))
    add_outcome_endpoint(app, LostOutcomes(engine, progress, clock))
    return app


def link_endpoints(
    factory: DriverFactory, client: GatewayClient, config: SenderConfigCache, poller: HealthPoller
) -> LinkEndpoints:
    """What links accounts and sets webhooks, with the connections of the checks."""
    keyring, media, seconds = factory.keyring, factory.media, factory.settings.sender_file_seconds
    waha = WahaLinker(LinkedDevice(client, keyring, media, seconds, *WAHA_DEVICE))
    evolution = EvolutionLinker(LinkedDevice(client, keyring, media, seconds, *EVOLUTION_DEVICE))
    webhooks = {"waha": waha, "evolution": evolution, "cloud_api": CloudApiWebhookSetter(client, keyring)}
    return LinkEndpoints({"waha": waha, "evolution": evolution}, webhooks, config, poller)


def build_receipts(settings: SenderSettings, engine: AsyncEngine, bus: KafkaBus, clock: Clock) -> Sequence[Component]:
    """The consumers of gateways' reports on deliveries and of erasures, and the removal of erased persons."""
    broker = create_broker(settings, f"{SERVICE}-receipts")
    offsets = OffsetStoreComponent(settings, engine, SERVICE, (DeliveryOutcome.topic,))
    handler, group = ReceiptHandler(engine, offsets), f"{SERVICE}-receipts"
    receipts = GuardedConsumer(group, handler.on_outcomes, (DeliveryOutcome,), bus, ignored_publisher=SERVICE)
    receipts.subscribe(broker, settings, gathering=GATHER)
    erasures = ErasureTable(SERVICE, settings.internal_token)
    eraser = Eraser(engine, erasures, clock, REMOVALS, report_to(DeadLetterBus(bus, SERVICE)), WAITS)
    erased = GuardedConsumer(group, eraser.on_erased, (RecipientErased,), bus)
    erased.subscribe(broker, settings)
    return [
        offsets,
        eraser.loop,
        KafkaComponent(broker, settings, [receipts, erased], "consumer of receipts"),
    ]


def build_lanes(context: LaneContext) -> Sequence[Component]:
    """The components of all lanes that this process carries."""
    settings = context.settings
    limits = {"reply": settings.sender_reply_concurrency, "open": settings.sender_open_concurrency}
    group_seconds = {"reply": 0.0, "open": settings.sender_group_seconds}
    for lane in LANES:
        CARRIED.labels(lane).set(lane in settings.carried_lanes)
    return [
        component
        for lane in settings.carried_lanes
        for component in build_lane(context, lane, limits[lane], group_seconds[lane])
    ]


def build_lane(context: LaneContext, lane: events.Lane, limit: int, group_seconds: float) -> Sequence[Component]:
    """One lane with its own consumer, producer, workers, and connections to Postgres and to the gateways.

    The producer has a broker of its own, so that it still publishes results after the consumer has stopped.
    """
    settings, clock, delivery_type = context.settings, context.clock, DELIVERY_TYPES[lane]
    engine = create_engine(settings, f"{SERVICE}-{lane}")
    producer, broker = create_broker(settings, f"{SERVICE}-{lane}"), create_broker(settings, f"{SERVICE}-{lane}")
    bus = KafkaBus(producer, SERVICE, clock)
    offsets = OffsetStoreComponent(
        settings, engine, SERVICE, (delivery_type.topic, ConsentChanged.topic, MessageCancelled.topic)
    )
    client = GatewayClient(f"{lane} lane", limit, _timeouts(settings))
    drivers = context.driver_factory.drivers(client)

    ledger = DeliveryLedger(
        engine, offsets, lane, context.worker, settings.lease, context.config.host, context.erasures
    )
    outbox = OutcomeOutbox(ledger, DeadLetterBus(bus, SERVICE))
    results = ResultWriter(ledger, outbox, group_seconds)
    # When a request is written, the lease of its claim must still last for the longest call and half the margin. A new
    # lease lasts for the longest call and the whole margin.
    call_seconds = settings.sender_call_seconds + LEASE_MARGIN_SECONDS / 2
    group = f"{SERVICE}-{lane}"
    progress = GroupProgress(settings, group)
    consent_check = ConsentCheck(engine, progress) if lane == "open" else None
    attempts = AttemptRunner(
        *(ledger, context.config, drivers, clock, clock.speed, Random(os.urandom(8))),
        *(CallStarts(ledger), call_seconds, consent_check),
    )
    traced = TracedAttempts(attempts.run, context.tracing, context.config)
    dispatcher = Dispatcher(ledger, traced.run, results, limit, settings.sender_drain_seconds)
    consumers: list[GuardedConsumer[Any]] = [GuardedConsumer(group, dispatcher.on_deliveries, (delivery_type,), bus)]
    cancellations = Cancellations(engine, offsets)
    if lane == "open":
        follower = ConsentFollower(engine, offsets, ConsentTable(SERVICE, settings.internal_token))
        consumers.append(GuardedConsumer(group, follower.on_changed, (ConsentChanged,), bus))
        consumers.append(GuardedConsumer(group, cancellations.on_cancelled, (MessageCancelled,), bus))
    for consumer in consumers:
        consumer.subscribe(broker, settings, gathering=GATHERING[lane])

    return [
        PostgresComponent(engine, SERVICE, f"postgres of the {lane} lane", migrates=settings.database_migrate),
        offsets,
        *([progress] if lane == "open" else []),
        KafkaComponent(producer, settings, name=f"producer of the {lane} lane", writes=WRITES[lane]),
        *(client, outbox, results, dispatcher),
        Loop(f"look at the backlog of the {lane} lane", BacklogGauges(engine, lane).update),
        KafkaComponent(broker, settings, consumers, f"consumer of the {lane} lane"),
        *([Rehearsal("rehearsal of the reply lane", ledger.rehearse)] if lane == "reply" else []),
    ]


def _timeouts(settings: SenderSettings) -> Timeouts:
    return Timeouts(settings.sender_connect_seconds, settings.sender_call_seconds)
