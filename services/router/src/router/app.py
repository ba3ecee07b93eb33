"""Assembly: builds the router from its components."""

from collections.abc import Sequence

from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from router.config_cache import RouterConfigCache
from router.conversation_tracker import ConversationTracker
from router.core.substitutes import SubstituteTurns
from router.endpoints import add_endpoints
from router.open_messages import OpenMessageRouter
from router.pending_assignments import PendingAssignments
from router.postgres import RoutingStore
from router.reassignment import Reassignment
from router.replies import ReplyRouter
from router.retention import old_rows
from router.settings import RouterSettings
from router.sql_erasures import REMOVALS
from router.sql_spellings import MERGES
from spreader.clock import Clock, clock_from_environment
from spreader.consent import ConsentFollower, ConsentTable
from spreader.contract.events import (
    ConsentChanged,
    CustomerMessage,
    DeliveryOutcome,
    DeliveryReturned,
    OpenDeliveriesAssigned,
    OpenDeliveriesWaiting,
    OpenMessageRequested,
    PackageConfigured,
    ProfilePace,
    ProfileState,
    RecipientErased,
    ReplyDeliveryAssigned,
    ReplyMessageRequested,
)
from spreader.erasure.eraser import Eraser, report_to
from spreader.erasure.postgres import ErasureTable
from spreader.http.auth import internal_only
from spreader.kafka.client import KafkaBus, create_broker
from spreader.kafka.component import KafkaComponent
from spreader.kafka.dead_letter import DeadLetterBus
from spreader.kafka.group_progress import GroupProgress
from spreader.kafka.guarded_consumer import GuardedConsumer
from spreader.kafka.offset_store import OffsetStoreComponent
from spreader.kafka.subscription import GATHER, GATHER_COMMITS
from spreader.kafka.table import Table
from spreader.runtime.loop import Loop
from spreader.runtime.postgres import create_engine
from spreader.runtime.postgres_component import PostgresComponent
from spreader.runtime.rehearsal import Rehearsal
from spreader.runtime.retention import OldRows, Retention, retention_loop
from spreader.runtime.service import Service
from spreader.runtime.sql_spelling_merge import spelling_loop
from spreader.telemetry.tracing import Tracing

GROUP = "router"
ENDED_BY_ROUTER = (OpenDeliveriesAssigned, OpenDeliveriesWaiting, ReplyDeliveryAssigned, DeliveryReturned)
"""Events that do not become dead letters. If Kafka refuses one of them for good, the router ends the event's
deliveries."""
REPLY_WRITES = (ReplyDeliveryAssigned.topic,)
DEDUPLICATED = (CustomerMessage.topic, DeliveryOutcome.topic, ConsentChanged.topic)
"""For these topics, the processed offsets are stored together with the effects of the records."""
OPEN_RECORDS_MAX = 4
"""The most records that the open lane handles at a time. Four records have up to 2,000 recipients. The router handles
them in milliseconds, so no reply waits long behind a bulk import."""


def build(settings: RouterSettings) -> FastAPI:
    clock, tracing = clock_from_environment(), Tracing.of("router", settings)
    packages, states = Table(settings, PackageConfigured), Table(settings, ProfileState)
    paces = Table(settings, ProfilePace)
    config, pending = RouterConfigCache(packages, states, paces.rows), PendingAssignments()
    progress = GroupProgress(settings, GROUP, CustomerMessage.topic)

    open_engine, reply_engine = create_engine(settings, "router"), create_engine(settings, "router")
    open_broker, reply_broker = create_broker(settings, "router"), create_broker(settings, "router")
    erasures = ErasureTable("router", settings.internal_token)
    open_store, reply_store = RoutingStore(open_engine, erasures), RoutingStore(reply_engine, erasures)
    open_bus, reply_bus = KafkaBus(open_broker, "router", clock), KafkaBus(reply_broker, "router", clock)
    open_events = DeadLetterBus(open_bus, "router", ENDED_BY_ROUTER)
    reply_events = DeadLetterBus(reply_bus, "router", ENDED_BY_ROUTER)
    deduplicator = OffsetStoreComponent(settings, open_engine, "router", DEDUPLICATED)

    open_messages = OpenMessageRouter(open_store, open_events, config, clock, pending, progress)
    turns = SubstituteTurns()
    reassignment = Reassignment(open_store, open_events, config, clock, pending, turns=turns)
    consents = ConsentFollower(open_engine, deduplicator, ConsentTable("router", settings.internal_token))
    eraser = Eraser(open_engine, erasures, clock, REMOVALS, report_to(open_events))
    open_tracker = ConversationTracker(open_store, deduplicator, config)
    replies = ReplyRouter(reply_store, reply_events, config, clock, progress, settings.router_heard_wait_seconds, turns)
    reply_tracker = ConversationTracker(reply_store, deduplicator, config)

    requests = GuardedConsumer(GROUP, open_messages.on_requested, (OpenMessageRequested,), open_bus, tracing)
    returns = GuardedConsumer(GROUP, reassignment.on_returned, (DeliveryReturned,), open_bus, tracing)
    consent_changes = GuardedConsumer(GROUP, consents.on_changed, (ConsentChanged,), open_bus)
    outcomes = GuardedConsumer(GROUP, open_tracker.on_outcome, (DeliveryOutcome,), open_bus)
    erased = GuardedConsumer(GROUP, eraser.on_erased, (RecipientErased,), open_bus)
    requests.subscribe(open_broker, settings, OPEN_RECORDS_MAX)
    returns.subscribe(open_broker, settings, OPEN_RECORDS_MAX)
    consent_changes.subscribe(open_broker, settings)
    outcomes.subscribe(open_broker, settings, gathering=GATHER)
    erased.subscribe(open_broker, settings)
    open_consumers = (requests, returns, consent_changes, outcomes, erased)

    reply_requests = GuardedConsumer(GROUP, replies.on_requested, (ReplyMessageRequested,), reply_bus, tracing)
    customer_messages = GuardedConsumer(GROUP, reply_tracker.on_customer_message, (CustomerMessage,), reply_bus)
    reply_requests.subscribe(reply_broker, settings, gathering=GATHER_COMMITS)
    customer_messages.subscribe(reply_broker, settings)  # no gathering, because replies wait for these commits
    reply_consumers = (reply_requests, customer_messages)

    service = Service(
        "router",
        [
            tracing,
            PostgresComponent(open_engine, "router", "postgres of the open lane", migrates=settings.database_migrate),
            PostgresComponent(reply_engine, "router", "postgres of the reply lane", migrates=False),
            *(packages, states, paces, deduplicator, progress),
            *_retention_loops(settings, open_engine, clock, packages),
            eraser.loop,
            KafkaComponent(reply_broker, settings, reply_consumers, "kafka of the reply lane", writes=REPLY_WRITES),
            KafkaComponent(open_broker, settings, open_consumers, "kafka of the open lane"),
            Rehearsal("rehearsal of the reply lane", replies.rehearse),
        ],
    )
    app = service.app(title="Spreader router", middleware=internal_only(settings.internal_token))
    add_endpoints(app, open_store, config, pending, clock)
    return app


def _retention_loops(
    settings: RouterSettings, engine: AsyncEngine, clock: Clock, packages: Table[PackageConfigured]
) -> tuple[Loop, ...]:
    """The loops that delete old rows, and merge the rows of one person. They start after the table `packages` has read
    its topic, because the first must know for how long each package's conversations bind."""

    def kept() -> Sequence[OldRows]:
        return old_rows(settings.conversation_keep, (each.package for each in packages.rows.values()))

    forgetting = retention_loop("forget old rows", Retention(engine, clock, kept).delete_old)
    return forgetting, spelling_loop(engine, MERGES)
