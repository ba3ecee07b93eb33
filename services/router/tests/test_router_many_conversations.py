"""A hundred thousand conversations: one is found by its key, and the time that takes is recorded."""

import random
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from router.postgres import RoutingStore
from spreader.phone.canonical import person_key
from spreader.runtime.migrations.runner import migrate
from spreader.runtime.postgres import create_engine
from spreader.settings import Settings

pytestmark = pytest.mark.postgres

CONVERSATIONS, LOOKUPS = 100_000, 1_000


@pytest.fixture
async def engine(database_url: str) -> AsyncGenerator[AsyncEngine]:
    engine = create_engine(Settings(database_url=database_url), "router")
    await migrate(engine, "router")
    async with engine.begin() as connection:
        await connection.execute(
            text("""
INSERT INTO router.conversation (package_id, recipient, profile_id, customer_at)
SELECT 'one', '2010' || lpad(number::text, 8, '0'), 'p' || number % 4, now() FROM generate_series(1, :rows) AS number
"""),
            {"rows": CONVERSATIONS},
        )
    yield engine
    await engine.dispose()


async def test_a_conversation_is_found_among_a_hundred_thousand(
    engine: AsyncEngine, keep: Callable[[str, Mapping[str, Any]], None]
) -> None:
    """No lookup is repeated, so no cache can be warm."""
    store, chance = RoutingStore(engine), random.Random(3)
    seconds: list[float] = []
    for number in chance.sample(range(1, CONVERSATIONS + 1), LOOKUPS):
        key = ("one", person_key(f"2010{number:08}"))
        began = time.perf_counter()
        async with store.begin() as connection:
            known = await store.conversations(connection, [key])
        seconds.append(time.perf_counter() - began)
        assert known[key].profile_id == f"p{number % 4}"
    ordered = sorted(seconds)
    figures = {"median_ms": ordered[LOOKUPS // 2] * 1e3, "p99_ms": ordered[int(LOOKUPS * 0.99)] * 1e3}
    measured = {"conversations": CONVERSATIONS, "lookups": LOOKUPS, "unit": "ms, transaction included"}
    keep("conversations", {**measured, **{name: round(value, 2) for name, value in figures.items()}})
