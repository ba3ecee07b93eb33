"""Assembly of the router: the one place that knows which parts are real."""

from fastapi import FastAPI

from router.assigned import Assigned
from router.directory import Tables
from router.endpoints import add_endpoints
from router.listening import Listening
from router.open_chat import OpenChat
from router.postgres import Store
from router.replies import Replies
from router.returned import Returned
from router.settings import RouterSettings
from spreader.boundary import Boundary
from spreader.clock import clock_from_environment
from spreader.consents import Consents, Following
from spreader.events import (
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
from spreader.kafka import UNHURRIED_MS, KafkaBus, create_broker
from spreader.loop import Loop
from spreader.parts import Kafka, Postgres
from spreader.positions import LivePositions
from spreader.postgres import create_engine
from spreader.progress import Progress
from spreader.service import Service
from spreader.table import Table
from spreader.tracing import Tracing

GROUP = "router"
FORGET_EVERY_SECONDS = 60.0
OPEN_RECORDS_MAX = 4  # 2,000 recipients: the loop is back in milliseconds, and no reply waits behind a bulk import


def build(settings: RouterSettings) -> FastAPI:
    clock, tracing = clock_from_environment(), Tracing.of("router", settings)
    configuration, states = Table(settings, PackageConfigured), Table(settings, ProfileState)
    paces = Table(settings, ProfilePace)
    directory, assigned = Tables(configuration, states, paces), Assigned()
    progress = Progress(settings, GROUP)

    open_engine, reply_engine = create_engine(settings, "router"), create_engine(settings, "router")
    open_broker, reply_broker = create_broker(settings, "router"), create_broker(settings, "router")
    open_store, reply_store = Store(open_engine), Store(reply_engine)
    open_bus, reply_bus = KafkaBus(open_broker, "router", clock), KafkaBus(reply_broker, "router", clock)
    positions = LivePositions(
        settings, open_engine, "router", (CustomerMessage.topic, DeliveryOutcome.topic, ConsentChanged.topic)
    )

    open_chat = OpenChat(open_store, open_bus, directory, clock, assigned, progress)
    consenting = Following(open_engine, positions, Consents("router"))
    returned = Returned(open_bus, directory, clock, assigned)
    replies = Replies(reply_store, reply_bus, directory, clock, progress, settings.router_heard_wait_seconds)
    hearing, noting = Listening(reply_store, positions, directory), Listening(open_store, positions, directory)

    open_boundaries = (
        Boundary(GROUP, open_chat.on_requested, (OpenMessageRequested,), open_bus, tracing),
        Boundary(GROUP, returned.on_returned, (DeliveryReturned,), open_bus, tracing),
        Boundary(GROUP, consenting.on_changed, (ConsentChanged,), open_bus),
        Boundary(GROUP, noting.on_outcome, (DeliveryOutcome,), open_bus),
    )
    reply_boundaries = (
        Boundary(GROUP, replies.on_requested, (ReplyMessageRequested,), reply_bus, tracing),
        Boundary(GROUP, hearing.on_customer_message, (CustomerMessage,), reply_bus),
    )
    *routing, hearing_consent, remembering = open_boundaries
    for boundary in routing:
        boundary.listen(open_broker, settings, OPEN_RECORDS_MAX)
    hearing_consent.listen(open_broker, settings)
    remembering.listen(open_broker, settings, gather_ms=UNHURRIED_MS)
    for boundary in reply_boundaries:
        boundary.listen(reply_broker, settings)

    async def forget_old() -> float:
        return 0 if await open_store.forget_old() else FORGET_EVERY_SECONDS

    service = Service(
        "router",
        [
            tracing,
            Postgres(open_engine, "router", "postgres of the open lane"),
            Postgres(reply_engine, "router", "postgres of the reply lane"),
            *(configuration, states, paces),
            positions,
            progress,
            Loop("forget old routings", forget_old),
            Kafka(reply_broker, settings, reply_boundaries, "kafka of the reply lane"),
            Kafka(open_broker, settings, open_boundaries, "kafka of the open lane"),
        ],
    )
    app = service.app(title="Spreader router")
    add_endpoints(app, open_store, directory, assigned, clock)
    return app
