"""Assembly of the router: the one place that knows which parts are real."""

from fastapi import FastAPI

from router.config_cache import RouterConfigCache
from router.conversation_tracker import ConversationTracker
from router.endpoints import add_endpoints
from router.open_messages import OpenMessageRouter
from router.pending_assignments import PendingAssignments
from router.postgres import RoutingStore
from router.reassignment import Reassignment
from router.replies import ReplyRouter
from router.settings import RouterSettings
from spreader.clock import clock_from_environment
from spreader.consent import ConsentFollower, ConsentTable
from spreader.contract.events import (
    ConsentChanged,
    CustomerMessage,
    DeliveryOutcome,
    DeliveryReturned,
    OpenMessageRequested,
    PackageConfigured,
    ProfilePace,
    ProfileState,
    ReplyMessageRequested,
)
from spreader.kafka.client import GATHER_MS, KafkaBus, create_broker
from spreader.kafka.component import KafkaComponent
from spreader.kafka.group_progress import GroupProgress
from spreader.kafka.guarded_consumer import GuardedConsumer
from spreader.kafka.offset_store import OffsetStoreComponent
from spreader.kafka.table import Table
from spreader.runtime.postgres import create_engine
from spreader.runtime.postgres_component import PostgresComponent
from spreader.runtime.retention import retention_loop
from spreader.runtime.service import Service
from spreader.telemetry.tracing import Tracing

GROUP = "router"
DELETE_ROWS_MAX = 5_000
DELETE_EVERY_SECONDS = 60.0
OPEN_RECORDS_MAX = 4  # 2,000 recipients: the loop is back in milliseconds, and no reply waits behind a bulk import


def build(settings: RouterSettings) -> FastAPI:
    clock, tracing = clock_from_environment(), Tracing.of("router", settings)
    configuration, states = Table(settings, PackageConfigured), Table(settings, ProfileState)
    paces = Table(settings, ProfilePace)
    directory, assigned = RouterConfigCache(configuration, states.rows, paces.rows), PendingAssignments()
    progress = GroupProgress(settings, GROUP)

    open_engine, reply_engine = create_engine(settings, "router"), create_engine(settings, "router")
    open_broker, reply_broker = create_broker(settings, "router"), create_broker(settings, "router")
    open_store, reply_store = RoutingStore(open_engine), RoutingStore(reply_engine)
    open_bus, reply_bus = KafkaBus(open_broker, "router", clock), KafkaBus(reply_broker, "router", clock)
    positions = OffsetStoreComponent(
        settings, open_engine, "router", (CustomerMessage.topic, DeliveryOutcome.topic, ConsentChanged.topic)
    )

    open_chat = OpenMessageRouter(open_store, open_bus, directory, clock, assigned, progress)
    consenting = ConsentFollower(open_engine, positions, ConsentTable("router"))
    returned = Reassignment(open_bus, directory, clock, assigned)
    replies = ReplyRouter(reply_store, reply_bus, directory, clock, progress, settings.router_heard_wait_seconds)
    hearing, noting = (
        ConversationTracker(reply_store, positions, directory),
        ConversationTracker(open_store, positions, directory),
    )

    open_boundaries = (
        GuardedConsumer(GROUP, open_chat.on_requested, (OpenMessageRequested,), open_bus, tracing),
        GuardedConsumer(GROUP, returned.on_returned, (DeliveryReturned,), open_bus, tracing),
        GuardedConsumer(GROUP, consenting.on_changed, (ConsentChanged,), open_bus),
        GuardedConsumer(GROUP, noting.on_outcome, (DeliveryOutcome,), open_bus),
    )
    reply_boundaries = (
        GuardedConsumer(GROUP, replies.on_requested, (ReplyMessageRequested,), reply_bus, tracing),
        GuardedConsumer(GROUP, hearing.on_customer_message, (CustomerMessage,), reply_bus),
    )
    *routing, hearing_consent, remembering = open_boundaries
    for boundary in routing:
        boundary.subscribe(open_broker, settings, OPEN_RECORDS_MAX)
    hearing_consent.subscribe(open_broker, settings)
    remembering.subscribe(open_broker, settings, gather_ms=GATHER_MS)
    for boundary in reply_boundaries:
        boundary.subscribe(reply_broker, settings)

    service = Service(
        "router",
        [
            tracing,
            PostgresComponent(open_engine, "router", "postgres of the open lane"),
            PostgresComponent(reply_engine, "router", "postgres of the reply lane"),
            *(configuration, states, paces),
            positions,
            progress,
            retention_loop("forget old routings", open_store.delete_old, DELETE_ROWS_MAX, DELETE_EVERY_SECONDS),
            KafkaComponent(reply_broker, settings, reply_boundaries, "kafka of the reply lane"),
            KafkaComponent(open_broker, settings, open_boundaries, "kafka of the open lane"),
        ],
    )
    app = service.app(title="Spreader router")
    add_endpoints(app, open_store, directory, assigned, clock)
    return app
