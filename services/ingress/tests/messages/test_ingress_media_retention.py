"""Media retention: one instance at a time deletes old files, and no transaction is open while it does."""

from collections.abc import AsyncGenerator
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.messages.media_retention import EVERY_SECONDS, PAUSE_SECONDS, MediaRetention
from spreader.clock import wall_now
from spreader.media.expiry import MediaExpiry
from spreader.media.store import MediaStore

pytestmark = pytest.mark.postgres

TRANSACTIONS = text("""
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL""")


@pytest.fixture
async def media() -> AsyncGenerator[MediaStore]:
    store = MediaStore("memory://", wall_now)
    await store.start()
    yield store
    await store.stop()


class Looked(MediaExpiry):
    """Counts the steps, and the transactions that are open during a step."""

    steps = open_transactions = 0
    engine: AsyncEngine

    async def delete_unused(self, unused_for: timedelta, files_max: int = 100) -> tuple[int, bool]:
        self.steps += 1
        async with self.engine.connect() as connection:
            self.open_transactions += (await connection.execute(TRANSACTIONS)).scalar_one()
        return await super().delete_unused(unused_for, files_max)


async def test_only_the_holder_of_the_lease_deletes_and_it_holds_no_transaction(
    engine: AsyncEngine, media: MediaStore
) -> None:
    first, second = Looked(media), Looked(media)
    first.engine = second.engine = engine
    holder, other = (MediaRetention(engine, each, timedelta(days=90)) for each in (first, second))
    assert await holder.run_once() == PAUSE_SECONDS  # it completes the index first
    assert await other.run_once() == EVERY_SECONDS
    assert await holder.run_once() == EVERY_SECONDS
    assert (first.steps, second.steps, first.open_transactions) == (2, 0, 0)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE ingress.lease SET until = now() - interval '1 second'"))
    await other.run_once()
    assert (await holder.run_once(), first.steps, second.steps) == (EVERY_SECONDS, 2, 1)
