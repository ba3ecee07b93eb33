"""Message retention: old messages go with their deliveries, in pieces, and unfinished or recent ones stay."""

from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.status.message_retention import MessageRetention
from ingress.testing import System
from spreader.clock import wall_now

KEEP = timedelta(days=180)
DAY = timedelta(days=1)

MESSAGES = text("""
INSERT INTO ingress.message (message_id, package_id, lane, kind, recipients, accepted_at)
SELECT CAST(:name AS text) || '_' || n, 'pkg', 'open', 'text', :recipients, now() - CAST(:age AS interval)
FROM generate_series(1, :messages) AS n""")
DELIVERIES = text("""
INSERT INTO ingress.delivery (delivery_id, message_id, package_id, lane, recipient, status, stage, attempt, turn, at)
SELECT 'dlv_' || message_id || '_' || r, message_id, 'pkg', 'open', '2010' || r,
       CASE CAST(:stage AS int) WHEN 0 THEN 'held' ELSE 'read' END, :stage, 1, 1, now() - CAST(:age AS interval)
FROM (SELECT CAST(:name AS text) || '_' || n AS message_id FROM generate_series(1, :messages) AS n) AS message,
     generate_series(CAST(:first AS int), CAST(:first AS int) + CAST(:recipients AS int) - 1) AS r""")


async def store(
    engine: AsyncEngine, name: str, messages: int = 1, recipients: int = 1, age: timedelta = KEEP + DAY
) -> None:
    params = {"name": name, "messages": messages, "recipients": recipients, "age": age}
    async with engine.begin() as connection:
        await connection.execute(MESSAGES, params)
    await add_deliveries(engine, name, messages=messages, recipients=recipients, age=age)


async def add_deliveries(
    engine: AsyncEngine,
    name: str,
    age: timedelta,
    stage: int = 2,
    messages: int = 1,
    recipients: int = 1,
    first: int = 1,
) -> None:
    params = {"name": name, "messages": messages, "recipients": recipients, "age": age, "stage": stage, "first": first}
    async with engine.begin() as connection:
        await connection.execute(DELIVERIES, params)


async def left(engine: AsyncEngine, table: str) -> set[str]:
    async with engine.connect() as connection:
        return set((await connection.execute(text(f"SELECT DISTINCT message_id FROM ingress.{table}"))).scalars())


def retention(engine: AsyncEngine) -> MessageRetention:
    return MessageRetention(engine, wall_now, KEEP)


async def run(engine: AsyncEngine, rows_max: int = 1_000) -> None:
    """Delete until nothing is left to do."""
    messages = retention(engine)
    while await messages.delete_old(rows_max) >= rows_max:
        pass


async def test_a_deleted_message_answers_404_and_its_deliveries_too(system: System) -> None:
    await store(system.engine, "old", recipients=3)
    assert (await system.http.get("/messages/old_1")).json()["counts"]["read"] == 3
    await run(system.engine)
    paths = ("/messages/old_1", "/messages/old_1/deliveries", "/deliveries/dlv_old_1_1")
    assert [(await system.http.get(path)).status_code for path in paths] == [404, 404, 404]
    assert await left(system.engine, "delivery") == set()


async def test_only_messages_whose_last_event_is_old_are_deleted(engine: AsyncEngine) -> None:
    """Fails if the age counts from the acceptance: a message that was held for months would be gone at once."""
    await store(engine, "old")
    await store(engine, "young", age=KEEP - DAY)
    for name in ("unfinished", "late"):
        await store(engine, name)
    await add_deliveries(engine, "unfinished", KEEP + DAY, stage=0, first=2)
    await add_deliveries(engine, "late", KEEP - DAY, first=2)
    await run(engine)
    assert await left(engine, "message") == await left(engine, "delivery") == {"unfinished_1", "young_1", "late_1"}


async def test_a_large_message_is_deleted_in_pieces_and_is_gone_at_once(engine: AsyncEngine) -> None:
    await store(engine, "large", recipients=25)
    messages, rows = retention(engine), []
    await messages.delete_old(10)
    assert await left(engine, "message") == set()
    while await messages.delete_old(10) >= 10:
        async with engine.connect() as connection:
            rows.append((await connection.execute(text("SELECT count(*) FROM ingress.delivery"))).scalar_one())
    assert rows[:2] == [15, 5]
    assert await left(engine, "delivery") == set()


async def test_unfinished_messages_do_not_hide_old_ones_behind_them(engine: AsyncEngine) -> None:
    await store(engine, "unfinished", messages=7, age=KEEP + 9 * DAY)
    await add_deliveries(engine, "unfinished", KEEP + DAY, stage=0, messages=7, first=2)
    await store(engine, "old", messages=3)
    await run(engine, rows_max=2)
    assert await left(engine, "message") == {f"unfinished_{n}" for n in range(1, 8)}


async def test_a_delivery_that_comes_back_is_deleted_a_day_later(engine: AsyncEngine) -> None:
    """An outcome that was on its way stores the delivery again after the message is gone."""
    await store(engine, "old")
    await run(engine)
    await add_deliveries(engine, "old", timedelta(0))
    await run(engine)
    assert await left(engine, "delivery") == {"old_1"}
    async with engine.begin() as connection:
        moved = "removed_at = removed_at - interval '1 day', due_at = due_at - interval '1 day'"
        await connection.execute(text(f"UPDATE ingress.removed_message SET {moved}"))
    await run(engine)
    assert await left(engine, "delivery") == await left(engine, "removed_message") == set()
