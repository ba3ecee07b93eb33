"""App: builds the ingress from its components and adds the endpoints of its API."""

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.configuration.change_history import ChangeHistory
from ingress.configuration.changes_endpoint import ChangesEndpoint
from ingress.configuration.config_cache import IngressConfigCache
from ingress.configuration.credentials import CredentialSealer
from ingress.configuration.gateway_checks_endpoint import GatewayChecksEndpoint
from ingress.configuration.packages_endpoint import PackagesEndpoint
from ingress.configuration.profiles_endpoint import ProfilesEndpoint
from ingress.configuration.queue_endpoint import QueueEndpoint
from ingress.configuration.registry import Registry
from ingress.configuration.removals import Removals
from ingress.configuration.republication import Republication
from ingress.configuration.resealer import Resealer
from ingress.configuration.shared_accounts import SharedAccounts
from ingress.consent.consent_lists import ConsentLists
from ingress.consent.endpoint import ConsentEndpoint
from ingress.consent.possible_opt_outs import PossibleOptOuts
from ingress.consent.possible_opt_outs_endpoint import PossibleOptOutsEndpoint
from ingress.consumers import build_consumers, records_max
from ingress.http import openapi, problems
from ingress.http.auth import ApiKeyMiddleware
from ingress.http.large_bodies import LargeBodies
from ingress.infra.outbox import EnvelopeRelay
from ingress.infra.publisher import REQUEST_TIMEOUT_MS, TimeLimitedBus
from ingress.infra.service_clients import service_clients
from ingress.linking.endpoints import link_endpoints
from ingress.linking.webhook_arrivals import WebhookArrivals
from ingress.messages.callbacks import CallbackChannel, CallbackConsumer
from ingress.messages.idempotency import IdempotentResponses
from ingress.messages.intake import MessageIntake
from ingress.messages.media_check import MediaCheck
from ingress.messages.media_endpoint import MediaEndpoint
from ingress.messages.media_retention import MediaRetention
from ingress.messages.open_endpoint import OpenMessageEndpoint
from ingress.messages.preview_endpoint import PreviewEndpoint
from ingress.messages.received import receive_open, receive_reply
from ingress.messages.reply_endpoint import ReplyEndpoint
from ingress.messages.resends import Resends
from ingress.messages.sent_routes import SentRoutes
from ingress.privacy.endpoint import RecipientEndpoint
from ingress.privacy.eraser import build_eraser
from ingress.privacy.erasures import Erasures
from ingress.privacy.person import KnownPerson
from ingress.row_counts import row_count_loops
from ingress.settings import IngressSettings
from ingress.sql.retention import old_rows
from ingress.status.conversation_endpoint import ConversationEndpoint
from ingress.status.message_counts import MessageCounts
from ingress.status.message_retention import MessageRetention
from ingress.status.projection import StatusProjection
from ingress.webhooks.account_index import AccountIndex
from ingress.webhooks.dispatcher import WebhookDispatcher
from ingress.webhooks.endpoint import WebhooksEndpoint
from ingress.webhooks.hidden_ids import HiddenIds
from ingress.webhooks.hidden_messages_endpoint import HiddenMessagesEndpoint
from ingress.webhooks.inbound_messages import InboundMessages
from ingress.webhooks.number_changes import NumberChanges
from ingress.webhooks.receipt_groups import ReceiptGroups
from ingress.webhooks.receipt_matcher import ReceiptMatcher
from spreader.clock import Clock, Now, clock_from_environment, wall_now
from spreader.contract.events import (
    ConsentChanged,
    OpenMessageRequested,
    PackageConfigured,
    ProfileState,
    ReplyMessageRequested,
)
from spreader.erasure.eraser import nothing
from spreader.erasure.postgres import ErasureTable
from spreader.http.service_client import ReadingServiceClient, ServiceClient
from spreader.kafka.bus import Bus
from spreader.kafka.client import PACKAGE_BYTES_MAX, KafkaBus, create_broker
from spreader.kafka.component import KafkaComponent
from spreader.kafka.dead_letter import DeadLetterBus
from spreader.kafka.subscription import GATHER
from spreader.kafka.table import Table
from spreader.media.expiry import MediaExpiry
from spreader.media.safe_fetch import AddressFilter, MediaDownloader
from spreader.media.store import MediaStore
from spreader.runtime.loop import Loop
from spreader.runtime.postgres import create_engine
from spreader.runtime.postgres_component import PostgresComponent
from spreader.runtime.rehearsal import Rehearsal
from spreader.runtime.retention import Retention, retention_loop
from spreader.runtime.service import Service
from spreader.telemetry.http_middleware import TraceMiddleware
from spreader.telemetry.tracing import NO_TRACING, Tracing
from spreader.vault import Vault

WATCHED = (PackageConfigured.topic, ConsentChanged.topic)
WRITES = (ReplyMessageRequested.topic, OpenMessageRequested.topic)
READERS = ("ingress.messages.received", "ingress.consent.schemas", "ingress.webhooks.driver_parsers")
RECEIPTS_MAX, RECEIPTS_EVERY_SECONDS = 10_000, 60.0
"""How many receipts without a delivery one batch deletes at most, and the wait in seconds after a batch that was not
full."""


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What the endpoints need. Tests pass substitutes."""

    settings: IngressSettings
    engine: AsyncEngine
    bus: Bus
    webhook_bus: Bus
    """Publishes the events that no caller of the API waits for."""
    config_cache: IngressConfigCache
    callbacks: CallbackChannel
    router: ServiceClient
    pacer: ReadingServiceClient
    sender: ServiceClient
    media: MediaStore
    bodies: LargeBodies
    now: Now
    wake_relay: Callable[[], None]
    tracing: Tracing = NO_TRACING
    wake_eraser: Callable[[], None] = nothing

    @property
    def erasures(self) -> ErasureTable:
        return ErasureTable("ingress", self.settings.internal_token)


def build(settings: IngressSettings) -> FastAPI:
    now, tracing, engine = clock_from_environment(), Tracing.of("ingress", settings), create_engine(settings, "ingress")
    request_broker = create_broker(settings, "ingress", REQUEST_TIMEOUT_MS, PACKAGE_BYTES_MAX)
    # The consumers have their own broker, because the short timeout of `request_broker` would abort a slow join of the
    # consumer group.
    consumer_broker = create_broker(settings, "ingress")
    erasures = ErasureTable("ingress", settings.internal_token)
    records = Erasures(engine, erasures, now)
    consumers = build_consumers(engine, erasures, records, KafkaBus(consumer_broker, "ingress", now), now)
    for consumer in consumers:
        consumer.subscribe(consumer_broker, settings, records_max(consumer), GATHER)
    bus = TimeLimitedBus(KafkaBus(request_broker, "ingress", now))
    webhook_bus = DeadLetterBus(bus, "ingress")
    packages, states = Table(settings, PackageConfigured), Table(settings, ProfileState)
    callbacks, media, bodies = CallbackConsumer(settings), MediaStore(settings.media_store, now), LargeBodies(*READERS)
    router, pacer, sender = service_clients(settings)
    receipts = ReceiptMatcher(engine, webhook_bus, erasures=erasures)
    consents = ConsentLists(engine, webhook_bus, now, erasures)
    eraser = build_eraser(engine, erasures, bus, now).loop
    relay = Loop("outbox relay", EnvelopeRelay(engine, bus).run_once)
    kafka = KafkaComponent(request_broker, settings, watched=WATCHED, writes=WRITES)
    loops = (
        relay,
        eraser,
        *consents.loops(),
        *_retention_loops(settings, engine, now),
        Loop("old files", MediaRetention(engine, MediaExpiry(media), settings.media_keep).run_once),
        Loop("early receipts", receipts.match_recent),
        retention_loop("old receipts", receipts.match_all_and_delete_old, RECEIPTS_MAX, RECEIPTS_EVERY_SECONDS),
        *_configuration_loops(settings, engine, now, relay.wake, kafka),
        *row_count_loops(engine, consents, records, now),
    )
    service = Service(
        "ingress",
        [
            tracing,
            kafka,
            PostgresComponent(engine, "ingress", migrates=settings.database_migrate),
            packages,
            states,
            media,
            bodies,
            callbacks,
            router,
            pacer,
            sender,
            KafkaComponent(consumer_broker, settings, consumers, "kafka of the status view"),
            *loops,
            Rehearsal("rehearsal of the reply lane", StatusProjection(engine, erasures).rehearse),
        ],
    )
    config_cache = IngressConfigCache(packages, states, settings.configured_wait_seconds)
    return assemble(
        service.app(title=openapi.TITLE, version="1.0.0"),
        Dependencies(
            *(settings, engine, bus, webhook_bus, config_cache, callbacks),
            *(router, pacer, sender, media, bodies, now, relay.wake, tracing, eraser.wake),
        ),
    )


def _retention_loops(settings: IngressSettings, engine: AsyncEngine, clock: Clock) -> tuple[Loop, ...]:
    kept = old_rows(settings.change_keep)
    messages = MessageRetention(engine, clock, clock.system(settings.message_keep))
    return (
        retention_loop("old rows", Retention(engine, clock, lambda: kept).delete_old),
        retention_loop("old messages", messages.delete_old),
        retention_loop("counts of old messages", MessageCounts(engine).count_uncounted, every_seconds=60.0),
    )


def _configuration_loops(
    settings: IngressSettings, engine: AsyncEngine, now: Now, wake_relay: Callable[[], None], kafka: KafkaComponent
) -> tuple[Loop, ...]:
    """The loops that check configuration and publish it again, without a request from a caller."""
    removals, registry = Removals(engine, now, wake_relay), Registry(engine, now, wake_relay)
    republication = Republication(engine, registry, lambda: kafka.home)
    keys = settings.secret_keys
    resealers = [Resealer(engine, registry, Vault(keys), settings.reseal_after_seconds)] if keys else []
    return (
        *(Loop("credentials of older keys", each.run_once) for each in resealers),
        Loop("removed packages", removals.announce),
        Loop("tombstones of removed packages", removals.forget),
        Loop("shared accounts", SharedAccounts(engine).run_once),
        Loop("a new Kafka cluster", republication.run_once),
    )


def assemble(app: FastAPI, deps: Dependencies) -> FastAPI:
    """Adds the endpoints of the API to `app`. Raises ValueError if there is no API key."""
    if not deps.settings.api_key:
        raise ValueError("SPREADER_API_KEY is not set: no caller could use the API. Set it to a secret of your choice.")
    for endpoint in _endpoints(deps):
        # Each route is added to the app's own router. A nested router would cost time on each request. It would also
        # hide which methods a path has, and a response 405 must list these methods.
        app.router.routes.extend(endpoint.routes().routes)
    problems.install(app)
    openapi.install(app)
    app.add_middleware(ApiKeyMiddleware, keys=deps.settings.api_key)
    app.add_middleware(TraceMiddleware, tracing=deps.tracing)
    return app


def _endpoints(deps: Dependencies) -> tuple[openapi.Endpoint, ...]:
    """All endpoints. The app tries their routes in this order, so the endpoints that accept messages come first."""
    settings, sealer = deps.settings, CredentialSealer(deps.settings.secret_keys)
    registry = Registry(deps.engine, deps.now, deps.wake_relay)
    projection, responses = StatusProjection(deps.engine, deps.erasures), IdempotentResponses(deps.engine)
    consents = ConsentLists(deps.engine, deps.webhook_bus, deps.now, deps.erasures)
    possible, arrivals = PossibleOptOuts(deps.engine, consents), WebhookArrivals(deps.engine)
    messages = InboundMessages(deps.webhook_bus, deps.config_cache, consents, possible)
    hidden_ids = HiddenIds(deps.engine, messages, deps.sender, deps.erasures)
    downloader = MediaDownloader(AddressFilter.of(settings.media_hosts_allowed), settings.contact)
    media_check = MediaCheck(deps.media, downloader, deps.now, settings.media_keep)
    intake_parts = (deps.config_cache, responses, media_check, deps.now, settings.body_bytes_max)
    dispatcher = _webhook_dispatcher(deps, hidden_ids, consents, sealer)
    erasures = Erasures(deps.engine, deps.erasures, deps.now, (deps.wake_relay, deps.wake_eraser))
    resends = Resends(deps.engine, projection, deps.now, deps.wake_relay)
    services, waits = (deps.router, deps.pacer), (settings.message_keep_days, settings.found_wait_seconds)
    sent = SentRoutes(deps.bus, deps.config_cache, *services, *waits)
    return (
        OpenMessageEndpoint(
            MessageIntake("open", deps.bodies, receive_open, *intake_parts),
            deps.bus,
            deps.config_cache,
            deps.callbacks,
            projection,
            deps.pacer,
            deps.now,
            deps.wake_relay,
            settings.routed_wait_seconds,
            settings.forecast_wait_seconds,
        ),
        ReplyEndpoint(
            MessageIntake("reply", deps.bodies, receive_reply, *intake_parts),
            deps.bus,
            deps.callbacks,
            deps.now,
            settings.settled_wait_seconds,
        ),
        MediaEndpoint(deps.media),
        PreviewEndpoint(deps.config_cache, consents, deps.router, deps.pacer, deps.bodies, settings.body_bytes_max),
        QueueEndpoint(registry, deps.config_cache, deps.pacer),
        PackagesEndpoint(registry, deps.config_cache, deps.now),
        ChangesEndpoint(registry, ChangeHistory(deps.engine), deps.config_cache),
        ProfilesEndpoint(
            registry, deps.config_cache, sealer, deps.sender, deps.now, settings.simulator_url, settings.public_url
        ),
        GatewayChecksEndpoint(registry, deps.config_cache, deps.sender),
        *link_endpoints(deps.engine, registry, sealer, deps.sender, arrivals, settings.public_url),
        *sent.build(resends, responses, media_check),
        ConversationEndpoint(deps.config_cache, deps.router),
        ConsentEndpoint(consents, deps.bodies, deps.config_cache),
        PossibleOptOutsEndpoint(possible, deps.config_cache),
        HiddenMessagesEndpoint(hidden_ids, deps.config_cache),
        RecipientEndpoint(KnownPerson(deps.engine, deps.router, deps.pacer), erasures),
        WebhooksEndpoint(deps.config_cache, registry, sealer, dispatcher, deps.bodies, arrivals, deps.now, wall_now),
    )


def _webhook_dispatcher(
    deps: Dependencies, hidden_ids: HiddenIds, consents: ConsentLists, sealer: CredentialSealer
) -> WebhookDispatcher:
    receipts = ReceiptMatcher(deps.engine, deps.webhook_bus, hidden_ids=hidden_ids, erasures=deps.erasures)
    accounts, numbers = AccountIndex(deps.config_cache.table), NumberChanges(consents, deps.router, deps.pacer)
    return WebhookDispatcher(deps.webhook_bus, accounts, ReceiptGroups(receipts), hidden_ids, numbers, sealer)
