"""Assembly of the sender: the one place that knows which parts are real."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any

from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from sender.config_cache import SenderConfigCache
from sender.dispatch.attempt import Sending
from sender.dispatch.consent_check import OptIns
from sender.dispatch.dispatcher import Lane
from sender.dispatch.intake import Intake
from sender.dispatch.tracing import TracedSending
from sender.endpoints import Asking, add_endpoints
from sender.gateways.cloud_api import CloudApiDriver
from sender.gateways.credentials import Keyring
from sender.gateways.driver import Driver
from sender.gateways.evolution import EvolutionDriver
from sender.gateways.health_poller import Period, Watch
from sender.gateways.http_client import Client, Timeouts
from sender.gateways.media import Media
from sender.gateways.number_check import Numbers
from sender.gateways.number_resolver import Addresses
from sender.gateways.postgres import PostgresNumbers, PostgresUploads, PostgresWatch
from sender.gateways.receipts import Receipts
from sender.gateways.registration import Registration
from sender.gateways.simulator import SimulatorDriver
from sender.gateways.uploads import KEPT, Uploads
from sender.gateways.waha import WahaDriver
from sender.ledger.backlog import Backlog
from sender.ledger.outbox import Outbox
from sender.ledger.postgres import Ledger
from sender.ledger.result_writer import Results
from sender.ledger.row_mapping import ASKED
from sender.settings import LEASE_MARGIN_SECONDS, SenderSettings
from spreader.clock import Clock, clock_from_environment
from spreader.consent import ConsentFollower, ConsentTable
from spreader.contract import events
from spreader.contract.events import ConsentChanged, DeliveryOutcome, PackageConfigured
from spreader.contract.ids import new_id
from spreader.kafka.client import KafkaBus, create_broker
from spreader.kafka.component import KafkaComponent
from spreader.kafka.group_progress import GroupProgress
from spreader.kafka.guarded_consumer import GuardedConsumer
from spreader.kafka.offset_store import OffsetStoreComponent
from spreader.kafka.table import Table
from spreader.media.safe_fetch import AddressFilter, MediaDownloader
from spreader.media.store import Media as StoredMedia
from spreader.media.store import MediaStore
from spreader.runtime.component import Component
from spreader.runtime.loop import Loop
from spreader.runtime.postgres import create_engine
from spreader.runtime.postgres_component import PostgresComponent
from spreader.runtime.retention import retention_loop
from spreader.runtime.service import Service
from spreader.telemetry.tracing import Tracing

SERVICE = "sender"
ASKING_CONNECTIONS = 64
DELETE_ROWS_MAX = 1_000
DELETE_EVERY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Making:
    """What drivers are made of; each client has a set of its own."""

    settings: SenderSettings
    keyring: Keyring
    media: Media
    uploads: Uploads
    addresses: Addresses

    def drivers(self, client: Client) -> Mapping[str, Driver]:
        settings, file_seconds = self.settings, self.settings.sender_file_seconds
        return {
            "simulator": SimulatorDriver(client, settings.sender_call_seconds, settings.ingress_url),
            "cloud_api": CloudApiDriver(client, self.keyring, self.media, self.uploads, file_seconds),
            "waha": WahaDriver(client, self.keyring, self.media, file_seconds, self.addresses),
            "evolution": EvolutionDriver(client, self.keyring, self.media, file_seconds),
        }


@dataclass(frozen=True, slots=True)
class Shared:
    """What both lanes read, and neither can be slowed by."""

    settings: SenderSettings
    clock: Clock
    profiles: SenderConfigCache
    worker: str
    making: Making
    tracing: Tracing


def build(settings: SenderSettings) -> FastAPI:
    """Both lanes, and beside them what is known of gateways, with connections to Postgres of its own."""
    clock, tracing = clock_from_environment(), Tracing.of(SERVICE, settings)
    engine = create_engine(settings, f"{SERVICE}-gateways")
    asker = Client("asking", ASKING_CONNECTIONS, _timeouts(settings))
    registrar = SimulatorDriver(asker, settings.sender_call_seconds, settings.ingress_url)
    registration = Registration({"simulator": registrar})
    bus_broker = create_broker(settings, f"{SERVICE}-gateways")
    store = MediaStore(settings.media_store, clock)
    media = StoredMedia(store, MediaDownloader(AddressFilter.of(settings.media_hosts_allowed)))
    known = PostgresNumbers(engine)
    addresses = Addresses(known, clock, settings.sender_number_checks_per_hour)
    making = Making(settings, Keyring(settings.secret_keys), media, Uploads(PostgresUploads(engine)), addresses)
    drivers = making.drivers(asker)
    bus = KafkaBus(bus_broker, SERVICE, clock)
    period = Period.of(timedelta(minutes=settings.sender_watch_minutes), clock, Random(os.urandom(8)))
    watch = Watch(PostgresWatch(engine), drivers, bus, clock, period)

    def on_change(package_id: str, configured: PackageConfigured | None) -> None:
        registration.on_change(package_id, configured)
        watch.on_change(package_id, configured)

    packages = Table(settings, PackageConfigured, on_change)
    profiles = SenderConfigCache(packages)
    worker = f"{settings.instance or SERVICE}/{new_id('wrk', clock())}"
    shared = Shared(settings, clock, profiles, worker, making, tracing)
    service = Service(
        SERVICE,
        [
            tracing,
            packages,
            asker,
            registration,
            PostgresComponent(engine, SERVICE, "postgres of the gateways"),
            store,
            *build_lane(shared, "reply", settings.sender_reply_concurrency, group_seconds=0),
            *build_lane(shared, "open", settings.sender_open_concurrency, settings.sender_group_seconds),
            *build_hearing(settings, engine, bus),
            KafkaComponent(bus_broker, settings, name="producer of the gateways"),
            watch,
        ],
    )
    app = service.app(title="Spreader sender")
    numbers = Numbers(known, drivers, clock, settings.sender_number_checks_per_hour)
    add_endpoints(app, Asking(drivers, profiles, numbers, watch))
    return app


def build_hearing(settings: SenderSettings, engine: AsyncEngine, bus: KafkaBus) -> Sequence[Component]:
    """What gateways report of deliveries in doubt; and old uploads are forgotten."""
    broker = create_broker(settings, f"{SERVICE}-receipts")
    positions = OffsetStoreComponent(settings, engine, SERVICE, (DeliveryOutcome.topic,))
    receipts = GuardedConsumer(f"{SERVICE}-receipts", Receipts(engine, positions).on_outcomes, (DeliveryOutcome,), bus)
    receipts.subscribe(broker, settings)
    uploads = PostgresUploads(engine)

    return [
        positions,
        retention_loop("forget old uploads", partial(uploads.delete_old, KEPT), DELETE_ROWS_MAX, DELETE_EVERY_SECONDS),
        KafkaComponent(broker, settings, [receipts], "consumer of receipts"),
    ]


def build_lane(shared: Shared, lane: events.Lane, limit: int, group_seconds: float) -> Sequence[Component]:
    """One lane with everything of its own: consumer, producer, connections to Postgres and to the gateways, workers.

    The producer stands on a broker apart: it goes on publishing results when the consumer has stopped.
    """
    settings, clock, asked = shared.settings, shared.clock, ASKED[lane]
    engine = create_engine(settings, f"{SERVICE}-{lane}")
    producing, consuming = create_broker(settings, f"{SERVICE}-{lane}"), create_broker(settings, f"{SERVICE}-{lane}")
    bus = KafkaBus(producing, SERVICE, clock)
    positions = OffsetStoreComponent(settings, engine, SERVICE, (asked.topic, ConsentChanged.topic))
    client = Client(f"{lane} lane", limit, _timeouts(settings))
    drivers = shared.making.drivers(client)

    ledger = Ledger(engine, positions, lane, shared.worker, settings.lease, shared.profiles.host)
    outbox = Outbox(ledger, bus)
    results = Results(ledger, outbox, group_seconds)
    call_seconds = settings.sender_call_seconds + LEASE_MARGIN_SECONDS / 2
    progress = GroupProgress(settings, f"{SERVICE}-{lane}")
    opt_ins = OptIns(engine, progress) if lane == "open" else None
    sending = Sending(
        ledger, shared.profiles, drivers, clock, clock.speed, Random(os.urandom(8)), call_seconds, opt_ins
    )
    traced = TracedSending(sending, shared.tracing, shared.profiles)
    work = Lane(ledger, traced, results, limit, settings.sender_drain_seconds)
    boundary = GuardedConsumer(f"{SERVICE}-{lane}", Intake(ledger, work).on_asked, (asked,), bus)
    boundaries: list[GuardedConsumer[Any]] = [boundary]
    if lane == "open":
        following = ConsentFollower(engine, positions, ConsentTable(SERVICE))
        boundaries.append(GuardedConsumer(f"{SERVICE}-{lane}", following.on_changed, (ConsentChanged,), bus))
    for each in boundaries:
        each.subscribe(consuming, settings)

    delete_old = partial(ledger.delete_settled, timedelta(days=settings.sender_keep_days))
    return [
        PostgresComponent(engine, SERVICE, f"postgres of the {lane} lane"),
        positions,
        *([progress] if lane == "open" else []),
        KafkaComponent(producing, settings, name=f"producer of the {lane} lane"),
        client,
        outbox,
        results,
        work,
        retention_loop(f"forget old deliveries of the {lane} lane", delete_old, DELETE_ROWS_MAX, DELETE_EVERY_SECONDS),
        Loop(f"look at the backlog of the {lane} lane", Backlog(engine, lane).turn),
        KafkaComponent(consuming, settings, boundaries, f"consumer of the {lane} lane"),
    ]


def _timeouts(settings: SenderSettings) -> Timeouts:
    return Timeouts(settings.sender_connect_seconds, settings.sender_call_seconds)
