"""App: the one assembly of the ingress: which parts are real, and which addresses they answer."""

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from ingress import openapi, problems
from ingress.accepting import Accepting
from ingress.accounts import Accounts
from ingress.attaching import Attaching
from ingress.books import Books
from ingress.callbacks import Asking, Callbacks
from ingress.changes import Changes
from ingress.checks import Checks
from ingress.configured import Configured
from ingress.consent_lists import ConsentLists
from ingress.consents import Consents
from ingress.conversations import Conversations
from ingress.credentials import Sealing
from ingress.deliveries import Deliveries
from ingress.guard import Guard
from ingress.handlers import RECORDS_MAX, Folding
from ingress.hearing import Hearing
from ingress.history import History
from ingress.idempotency import Answers
from ingress.media import Files, OldFiles
from ingress.message_forms import OPEN, REPLY
from ingress.message_list import MessageList
from ingress.messages import Messages
from ingress.open_messages import OpenMessages
from ingress.outbox import Relay
from ingress.packages import Packages
from ingress.peer import Asked, Peer
from ingress.previews import Previews
from ingress.profiles import Profiles
from ingress.publisher import REQUEST_TIMEOUT_MS, Publisher
from ingress.queues import Queues
from ingress.receipts import Receipts
from ingress.registry import Registry
from ingress.replies import Replies
from ingress.reporting import Reporting
from ingress.settings import IngressSettings
from ingress.status_view import StatusView
from ingress.webhooks import Webhooks
from spreader.bus import Bus
from spreader.clock import Now, clock_from_environment, wall_now
from spreader.events import PackageConfigured, ProfileState
from spreader.fetching import Fetcher
from spreader.fetching import Guard as NoPrivateAddress
from spreader.kafka import BATCH_RECORDS_MAX, UNHURRIED_MS, KafkaBus, create_broker
from spreader.loop import Loop
from spreader.media import MediaStore
from spreader.parts import Kafka, Postgres
from spreader.postgres import create_engine
from spreader.service import Service
from spreader.table import Table
from spreader.traced import Traced
from spreader.tracing import OFF, Tracing


@dataclass(frozen=True, slots=True)
class Parts:
    """What the addresses need; tests give their own."""

    settings: IngressSettings
    engine: AsyncEngine
    bus: Bus
    configured: Configured
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
        boundary.listen(folding, settings, records_max, UNHURRIED_MS)
    bus = Publisher(KafkaBus(accepting, "ingress", now))
    packages, states = Table(settings, PackageConfigured), Table(settings, ProfileState)
    callbacks = Callbacks(settings)
    router, pacer = Peer("router", settings.router_url), Peer("pacer", settings.pacer_url)
    sender = Peer("sender", settings.sender_url)
    relay = Loop("outbox relay", Relay(engine, bus).turn)
    cleaning = Loop("old answers", Answers(engine).forget_old)
    consenting = Loop("news of consent", Consents(engine, bus, now).announce_left_over)
    receipts = Receipts(engine, bus)
    early = (Loop("early receipts", receipts.look_again), Loop("old receipts", receipts.tidy))
    media = MediaStore(settings.media_store, now)
    tidying = Loop("old files", OldFiles(media, settings.media_keep_days).turn)
    kafka = Kafka(accepting, settings)
    view = Kafka(folding, settings, boundaries, "kafka of the status view")
    tables = (Postgres(engine, "ingress"), packages, states)
    books = Books(engine, now)
    counted = (Loop("look at the outbox", books.outbox), Loop("look at the books", books.turn))
    peers, loops = (router, pacer, sender), (relay, consenting, cleaning, tidying, *early, *counted)
    service = Service("ingress", [tracing, kafka, *tables, media, callbacks, *peers, view, *loops])
    configured = Configured(packages, states, settings.configured_wait_seconds)
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
    attaching = Attaching(parts.media, Fetcher(NoPrivateAddress.of(settings.media_hosts_allowed)))
    common = (parts.configured, answers, attaching, parts.now, settings.body_bytes_max)
    reporting = Reporting(
        parts.bus, Accounts(parts.configured.packages), Receipts(parts.engine, parts.bus),
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
    app.add_middleware(Guard, key=settings.api_key)
    app.add_middleware(Traced, tracing=parts.tracing)
    return app
