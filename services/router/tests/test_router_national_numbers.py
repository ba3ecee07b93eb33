"""National numbers over Kafka: completed with the country of the package, or rejected."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from router.open_messages import OpenMessageRouter
from router.pending_assignments import PendingAssignments
from router.postgres import RoutingStore
from router.replies import ReplyRouter
from router.testing import MemoryConfigCache
from spreader.clock import Clock, wall_now
from spreader.contract.configuration import Gateway, Package, Profile
from spreader.contract.content import TextContent
from spreader.contract.events import (
    DeliveryOutcome,
    OpenDeliveriesAssigned,
    OpenMessageRequested,
    ReplyDeliveryAssigned,
    ReplyMessageRequested,
    ReplySettled,
)
from spreader.contract.ids import delivery_id
from spreader.kafka.bus import PublishFailed
from spreader.kafka.guarded_consumer import Received
from spreader.testing import FakeProgress, MemoryBus

pytestmark = pytest.mark.postgres

NOON = datetime(2026, 2, 10, 12, tzinfo=UTC)
TEXT = TextContent(type="text", text="Hello")
INTERNATIONAL, NATIONAL, DIALLED_ABROAD = "201001234567", "01001234567", "00201001234567"


class Router:
    def __init__(self, engine: AsyncEngine, country: str | None) -> None:
        self.bus, self.config, self.store = MemoryBus(NOON), MemoryConfigCache(), RoutingStore(engine)
        self.clock = Clock(1.0, wall_now(), NOON + timedelta(hours=1))
        self.set_country(country)

    def set_country(self, country: str | None) -> None:
        gateway = Gateway(driver="simulator", base_url="http://127.0.0.1:1", account="a")
        profile = Profile(profile_id="a", name="a", phone="201000000001", gateway=gateway)
        self.config.configure(
            Package(package_id="one", version=1, name="One", default_country=country, profiles=(profile,))
        )

    async def open(self, *recipients: str) -> None:
        request = OpenMessageRequested(
            package_id="one", message_id="msg_1", content=TEXT, recipients=recipients, requested_at=NOON
        )
        router = OpenMessageRouter(self.store, self.bus, self.config, self.clock, PendingAssignments(), FakeProgress())
        await router.on_requested([Received(request, request.topic, 0, 0)])

    async def reply(self, recipient: str) -> None:
        request = ReplyMessageRequested(
            package_id="one", message_id="msg_2", content=TEXT, recipient=recipient, requested_at=NOON,
            callback_partition=3,
        )  # fmt: skip
        router = ReplyRouter(self.store, self.bus, self.config, self.clock, FakeProgress(), 60.0)
        await router.on_requested([Received(request, request.topic, 0, 0)])

    @property
    def assigned(self) -> list[str]:
        return [each.recipient for event in self.bus.of(OpenDeliveriesAssigned) for each in event.deliveries]


async def test_a_number_without_a_country_is_rejected_and_names_its_field(engine: AsyncEngine) -> None:
    router = Router(engine, None)
    await router.open(INTERNATIONAL, NATIONAL)
    await router.reply(NATIONAL)
    outcomes = router.bus.of(DeliveryOutcome)
    assert [outcome.status for outcome in outcomes] == ["rejected"] * 3
    assert {(outcome.reason or "").partition(":")[0] for outcome in outcomes} == {"/recipients/1", "/recipient"}
    assert [settled.status for settled in router.bus.of(ReplySettled)] == ["rejected"]


async def test_a_country_makes_one_person_of_three_spellings(engine: AsyncEngine) -> None:
    router = Router(engine, "EG")
    await router.open(NATIONAL, INTERNATIONAL, DIALLED_ABROAD)
    await router.reply(NATIONAL)
    assert router.assigned == [INTERNATIONAL]
    (reply,) = router.bus.of(ReplyDeliveryAssigned)
    assert (reply.recipient, reply.delivery_id) == (INTERNATIONAL, delivery_id("msg_2", INTERNATIONAL))


@pytest.mark.parametrize(("first", "later"), [("EG", "SA"), ("EG", None), (None, "EG")])
async def test_a_repeated_record_has_the_same_recipients_after_the_country_changed(
    engine: AsyncEngine, first: str | None, later: str | None
) -> None:
    """Otherwise a crash could send a message twice, the second time to a stranger."""
    number = NATIONAL if first else "20501234567"
    router = Router(engine, first)
    router.bus.away = True
    with pytest.raises(PublishFailed):
        await router.open(number, "1001234567")
    router.bus.away = False
    router.set_country(later)
    await router.open(number, "1001234567")
    assert router.assigned == ([INTERNATIONAL] if first else [number, "1001234567"])
