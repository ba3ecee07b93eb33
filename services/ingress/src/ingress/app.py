"""App: the one assembly of the ingress: which parts are real, and which addresses they answer."""

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.configuration.change_history import History
from ingress.configuration.changes_endpoint import Changes
from ingress.configuration.config_cache import IngressConfigCache
from ingress.configuration.credentials import Sealing
from ingress.configuration.gateway_checks_endpoint import Checks
from ingress.configuration.packages_endpoint import Packages
from ingress.configuration.profiles_endpoint import Profiles
from ingress.configuration.queue_endpoint import Queues
from ingress.configuration.registry import Registry
from ingress.consent.consent_lists import Consents
from ingress.consent.endpoint import ConsentLists
from ingress.http import openapi, problems
from ingress.http.auth import ApiKeyMiddleware
from ingress.infra.outbox import Relay
from ingress.infra.publisher import REQUEST_TIMEOUT_MS, Publisher
from ingress.infra.service_client import Asked, Peer
from ingress.messages.callbacks import Asking, Callbacks
from ingress.messages.idempotency import Answers
from ingress.messages.intake import Accepting
from ingress.messages.media_check import Attaching
from ingress.messages.media_endpoint import Files, OldFiles
from ingress.messages.open_endpoint import OpenMessages
from ingress.messages.preview_endpoint import Previews
from ingress.messages.reply_endpoint import Replies
from ingress.messages.schemas import OPEN, REPLY
from ingress.settings import IngressSettings
from ingress.status.conversations_endpoint import Conversations
from ingress.status.deliveries_endpoint import Deliveries
from ingress.status.handlers import RECORDS_MAX, Folding
from ingress.status.message_list_endpoint import MessageList
from ingress.status.messages_endpoint import Messages
from ingress.status.projection import StatusView
from ingress.status.reconciliation import Books
from ingress.webhooks.account_index import Accounts
from ingress.webhooks.dispatcher import Reporting
from ingress.webhooks.endpoint import Webhooks
from ingress.webhooks.inbound_messages import Hearing
from ingress.webhooks.receipts import Receipts
from spreader.clock import Now, clock_from_environment, wall_now
from spreader.contract.events import PackageConfigured, ProfileState
from spreader.kafka.bus import Bus
from spreader.kafka.client import BATCH_RECORDS_MAX, GATHER_MS, KafkaBus, create_broker
from spreader.kafka.component import KafkaComponent
from spreader.kafka.table import Table
from spreader.media.safe_fetch import AddressFilter as NoPrivateAddress
from spreader.media.safe_fetch import MediaDownloader
from spreader.media.store import MediaStore
from spreader.runtime.loop import Loop
from spreader.runtime.postgres import create_engine
from spreader.runtime.postgres_component import PostgresComponent
from spreader.runtime.retention import retention_loop
from spreader.runtime.service import Service
from spreader.telemetry.http_middleware import TraceMiddleware
from spreader.telemetry.tracing import OFF, Tracing

RESPONSES_MAX, RESPONSES_EVERY_SECONDS = 1_000, 600.0  # deleted in one batch, and how often
RECEIPTS_MAX, RECEIPTS_EVERY_SECONDS = 10_000, 60.0


@dataclass(frozen=True, slots=True)
class Parts:
    """What the addresses need; tests give their own."""

    settings: IngressSettings
    engine: AsyncEngine
    bus: Bus
    configured: IngressConfigCache
    asking: Asking
    router: Asked
    pacer: Asked
    sender: Asked
    media: MediaStore
    now: Now
    wake_relay: Callable[[], None]
    tracing: Tracing = OFF


def build(settings: IngressSettings) -> FastAPI:
    now, tracing = clock_from_environment(), Tracing.of("ingress", settings)
    engine = create_engine(settings, "ingress")
    accepting = create_broker(settings, "ingress", REQUEST_TIMEOUT_MS)
    folding = create_broker(settings, "ingress")  # apart: a caller's short time-out would end a slow group join
    folding_bus = KafkaBus(folding, "ingress", now)
    boundaries = Folding(StatusView(engine), Receipts(engine, folding_bus)).boundaries(folding_bus)
    for boundary in boundaries:
        records_max = RECORDS_MAX.get(boundary.accepts[0].topic, BATCH_RECORDS_MAX)
        boundary.subscribe(folding, settings, records_max, GATHER_MS)
    bus = Publisher(KafkaBus(accepting, "ingress", now))
    packages, states = Table(settings, PackageConfigured), Table(settings, ProfileState)
    callbacks = Callbacks(settings)
    router, pacer = Peer("router", settings.router_url), Peer("pacer", settings.pacer_url)
    sender = Peer("sender", settings.sender_url)
    relay = Loop("outbox relay", Relay(engine, bus).turn)
    cleaning = retention_loop("old answers", Answers(engine).delete_old, RESPONSES_MAX, RESPONSES_EVERY_SECONDS)
    consenting = Loop("news of consent", Consents(engine, bus, now).announce_left_over)
    receipts = Receipts(engine, bus)
    early = (
        Loop("early receipts", receipts.look_again),
        retention_loop("old receipts", receipts.tidy, RECEIPTS_MAX, RECEIPTS_EVERY_SECONDS),
    )
    media = MediaStore(settings.media_store, now)
    tidying = Loop("old files", OldFiles(media, settings.media_keep_days).turn)
    kafka = KafkaComponent(accepting, settings)
    view = KafkaComponent(folding, settings, boundaries, "kafka of the status view")
    tables = (PostgresComponent(engine, "ingress"), packages, states)
    books = Books(engine, now)
    counted = (Loop("look at the outbox", books.outbox), Loop("look at the books", books.turn))
    peers, loops = (router, pacer, sender), (relay, consenting, cleaning, tidying, *early, *counted)
    service = Service("ingress", [tracing, kafka, *tables, media, callbacks, *peers, view, *loops])
    configured = IngressConfigCache(packages, states, settings.configured_wait_seconds)
    return assemble(
        service.app(title=openapi.TITLE, version="1.0.0"),
        Parts(settings, engine, bus, configured, callbacks, router, pacer, sender, media, now, relay.wake, tracing),
    )


def assemble(app: FastAPI, parts: Parts) -> FastAPI:
    """Give `app` the addresses of the API."""
    settings = parts.settings
    if not settings.api_key:
        raise ValueError("SPREADER_API_KEY is not set: nobody could call the API")
    registry = Registry(parts.engine, parts.now, parts.wake_relay)
    view, answers = StatusView(parts.engine), Answers(parts.engine)
    consents = Consents(parts.engine, parts.bus, parts.now)
    sealing = Sealing(settings.secret_keys)
    attaching = Attaching(parts.media, MediaDownloader(NoPrivateAddress.of(settings.media_hosts_allowed)))
    common = (parts.configured, answers, attaching, parts.now, settings.body_bytes_max)
    reporting = Reporting(
        parts.bus, Accounts(parts.configured.table), Receipts(parts.engine, parts.bus),
        Hearing(parts.bus, parts.configured, consents), consents, sealing,
    )  # fmt: skip
    nouns = (  # the accept path first: addresses are tried in this order
        OpenMessages(
            Accepting("open", OPEN, *common), parts.bus, parts.configured, parts.asking, view, parts.pacer, parts.now,
            parts.wake_relay, settings.routed_wait_seconds, settings.forecast_wait_seconds,
        ),
        Replies(Accepting("reply", REPLY, *common), parts.bus, parts.asking, parts.now, settings.settled_wait_seconds),
        Files(parts.media),
        Previews(parts.configured, consents, parts.router, parts.pacer, settings.body_bytes_max),
        Queues(registry, parts.configured, parts.pacer),
        Packages(registry, parts.configured, parts.now),
        Changes(registry, History(parts.engine), parts.configured),
        Profiles(registry, parts.configured, sealing, parts.sender, parts.now, settings.simulator_url),
        Checks(registry, parts.configured, parts.sender),
        MessageList(view, parts.configured),
        Messages(view, parts.bus, parts.now, settings.found_wait_seconds),
        Conversations(parts.configured, parts.router),
        Deliveries(view, parts.router, parts.pacer),
        ConsentLists(consents, parts.configured),
        Webhooks(parts.configured, registry, sealing, reporting, parts.now, wall_now),
    )  # fmt: skip
    for noun in nouns:  # flat: routers within routers cost on each request, and hide an address's methods
        app.router.routes.extend(noun.routes().routes)
    problems.install(app)
    openapi.install(app)
    app.add_middleware(ApiKeyMiddleware, key=settings.api_key)
    app.add_middleware(TraceMiddleware, tracing=parts.tracing)
    return app
