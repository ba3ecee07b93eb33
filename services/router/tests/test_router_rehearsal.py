"""Rehearsal of the router: the first reply and its outcome find their statements prepared."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from router.conversation_tracker import ConversationTracker
from router.postgres import RoutingStore
from router.replies import ReplyRouter
from router.testing import MemoryConfigCache
from spreader.clock import Clock, wall_now
from spreader.contract.configuration import Gateway, Package, Profile
from spreader.contract.content import TextContent
from spreader.contract.events import DeliveryOutcome, ReplyDeliveryAssigned, ReplyMessageRequested
from spreader.kafka.guarded_consumer import Received
from spreader.testing import FakeProgress, MemoryBus, NoDeduplication, prepared_sql

pytestmark = pytest.mark.postgres

NOON = datetime(2026, 2, 10, 12, tzinfo=UTC)


async def test_the_first_reply_after_a_rehearsal_prepares_no_statement(engine: AsyncEngine) -> None:
    store, bus, config = RoutingStore(engine), MemoryBus(NOON), MemoryConfigCache()
    gateway = Gateway(driver="simulator", base_url="http://127.0.0.1:1", account="a")
    profile = Profile(profile_id="a", name="a", phone="201000000001", gateway=gateway)
    config.configure(Package(package_id="one", version=1, name="One", profiles=(profile,)))
    router = ReplyRouter(store, bus, config, Clock(1.0, wall_now(), NOON), FakeProgress(), 60.0)
    await router.rehearse()
    async with engine.connect() as connection:
        for table in ("conversation", "conversation_move"):
            assert (await connection.execute(text(f"SELECT count(*) FROM router.{table}"))).scalar_one() == 0
    request = ReplyMessageRequested(
        package_id="one", message_id="msg_1", content=TextContent(type="text", text="Hello"), recipient="201100000001",
        requested_at=NOON, callback_partition=3,
    )  # fmt: skip
    with prepared_sql() as prepared:
        await router.on_requested([Received(request, request.topic, 0, 0)])
        (assigned,) = bus.of(ReplyDeliveryAssigned)
        sent = DeliveryOutcome(
            package_id="one", message_id="msg_1", delivery_id=assigned.delivery_id, recipient="201100000001",
            lane="reply", profile_id="a", status="sent", at=NOON,
        )  # fmt: skip
        await ConversationTracker(store, NoDeduplication(), config).on_outcome([Received(sent, sent.topic, 0, 0)])
    assert prepared == []
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM router.conversation_move"))).scalar_one() == 1
