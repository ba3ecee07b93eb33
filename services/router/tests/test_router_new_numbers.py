"""New numbers: a conversation continues under the customer's new number."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from router.conversation_tracker import ConversationTracker
from router.postgres import RoutingStore
from router.testing import MemoryConfigCache
from spreader.contract.events import CustomerMessage
from spreader.kafka.guarded_consumer import Received
from spreader.phone.canonical import PersonKey, person_key
from spreader.testing import NoDeduplication

pytestmark = pytest.mark.postgres

NOON = datetime(2026, 2, 10, 12, tzinfo=UTC)
OLD, NEW, OTHER = map(person_key, ("201000000011", "201000000012", "201000000013"))
ALWAYS = timedelta.max


async def wrote(store: RoutingStore, recipient: str, profile_id: str, at: datetime) -> None:
    message = CustomerMessage(
        package_id="one", profile_id=profile_id, recipient=recipient, gateway_message_id=f"{recipient}/{at}", at=at
    )
    tracker = ConversationTracker(store, NoDeduplication(), MemoryConfigCache())
    await tracker.on_customer_message([Received(message, CustomerMessage.topic, 0, 0)])


async def profile_of(store: RoutingStore, recipient: PersonKey) -> str | None:
    async with store.begin() as connection:
        known = await store.conversations(connection, [("one", recipient)])
    return known[("one", recipient)].profile_id if known else None


async def test_a_conversation_continues_under_the_new_number(engine: AsyncEngine) -> None:
    store = RoutingStore(engine)
    await wrote(store, OLD, "a", NOON)
    for _ in range(2):  # the gateway repeats its report
        assert await store.follow(("one", OLD), NEW, ALWAYS)
    assert await profile_of(store, NEW) == "a"
    async with store.begin() as connection:
        moves = await store.history(connection, "one", NEW)
    assert [(move.profile_id, move.cause) for move in moves] == [("a", "the customer changed the number")]


async def test_the_newest_conversation_wins(engine: AsyncEngine) -> None:
    store = RoutingStore(engine)
    await wrote(store, OLD, "a", NOON)
    await wrote(store, NEW, "b", NOON + timedelta(hours=1))
    await store.follow(("one", OLD), NEW, ALWAYS)
    assert await profile_of(store, NEW) == "b"


async def test_a_number_without_a_conversation_has_none_to_continue(engine: AsyncEngine) -> None:
    store = RoutingStore(engine)
    assert not await store.follow(("one", OTHER), NEW, ALWAYS)
    assert await profile_of(store, NEW) is None
