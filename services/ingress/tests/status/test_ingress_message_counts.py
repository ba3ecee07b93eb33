"""Kept counts: the counts of a message by status are exact at any time, and a list of messages reads no deliveries."""

import asyncio
import json
import random
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from ingress.core.delivery_updates import DeliveryUpdate
from ingress.core.status import WAITING, progress
from ingress.sql import status as sql
from ingress.sql.status import LackingCount, NewMessage
from ingress.status.message_counts import MessageCounts, store
from ingress.status.projection import StatusProjection
from spreader.clock import wall_now
from spreader.contract.bounds import Bound
from spreader.contract.events import Status
from spreader.runtime.rows import fetched

pytestmark = pytest.mark.postgres

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
MESSAGES, DELIVERIES = 4, 30
STEPS: tuple[tuple[Status, str | None], ...] = (
    ("held", Bound.WAITING_FOR_PROFILE), ("held", None), ("released", None), ("sent", None), ("delivered", None),
    ("read", None), ("failed", None),
)  # fmt: skip


def update(message: int, number: int, step: int, attempt: int = 1) -> DeliveryUpdate:
    status, reason = STEPS[step]
    name = f"dlv_{message}_{number}"
    return DeliveryUpdate(
        name, f"msg_{message}", "pkg", "open", "201000000001", status, progress(status, attempt + step, None), NOON,
        reason=reason,
    )  # fmt: skip


@pytest.fixture
async def projection(engine: AsyncEngine) -> StatusProjection:
    projection = StatusProjection(engine)
    await projection.fold_messages(
        NewMessage(f"msg_{number}", "pkg", "open", "text", NOON + timedelta(minutes=number), DELIVERIES)
        for number in range(MESSAGES)
    )
    return projection


async def execute(engine: AsyncEngine, statement: str) -> list[Any]:
    async with engine.begin() as connection:
        result = await connection.execute(text(statement))
        return list(result) if result.returns_rows else []


DELETE_MESSAGES = text("DELETE FROM ingress.message WHERE message_id = ANY(CAST(:message_ids AS text[]))")
CHANGE = text("UPDATE ingress.delivery SET status = 'expired' WHERE message_id = :message_id")
WAITING_FOR_LOCKS = """
SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"""
COUNTED = f"""
SELECT message_id, CASE WHEN status = 'held' AND reason = '{Bound.WAITING_FOR_PROFILE}' THEN '{WAITING}' ELSE status END
       AS shown, count(*) FROM ingress.delivery GROUP BY 1, 2"""


async def assert_exact(projection: StatusProjection) -> None:
    """The kept counts are those of the deliveries."""
    kept = await execute(
        projection.engine, "SELECT message_id, status, deliveries FROM ingress.message_count WHERE deliveries <> 0"
    )
    assert sorted(map(tuple, kept)) == sorted(map(tuple, await execute(projection.engine, COUNTED)))
    listed = await projection.messages("pkg", {}, 50)
    shown = [(message.message_id, status, count) for message in listed for status, count in message.counts.items()]
    assert sorted(shown) == sorted(map(tuple, kept))


def random_folds(seed: int) -> list[list[DeliveryUpdate]]:
    """Batches with the steps of all deliveries, in any order and with repetitions."""
    chance = random.Random(seed)
    updates = [
        update(message, number, step)
        for message in range(MESSAGES)
        for number in range(DELIVERIES)
        for step in chance.sample(range(len(STEPS)), 4)
    ]
    chance.shuffle(updates)
    return [updates[start : start + 40] for start in range(0, len(updates), 40)]


async def test_the_counts_are_exact_while_several_consumers_store_deliveries(projection: StatusProjection) -> None:
    """The consumers store the same deliveries in different orders, as those of different topics do."""
    folds = [fold for seed in range(3) for fold in random_folds(seed)]
    await asyncio.gather(*map(projection.fold_deliveries, folds))
    await assert_exact(projection)


async def test_messages_from_before_the_counts_are_counted_while_their_deliveries_change(
    projection: StatusProjection,
) -> None:
    engine, first, later = projection.engine, random_folds(1), random_folds(2)
    for fold in first:
        await projection.fold_deliveries(fold)
    await execute(engine, "DELETE FROM ingress.message_count")
    await execute(engine, "UPDATE ingress.message SET counted = false")
    before = {message.message_id: message.counts for message in await projection.messages("pkg", {}, 50)}
    assert all(sum(counts.values()) == DELIVERIES for counts in before.values())
    instances = [MessageCounts(engine) for _ in range(3)]
    await asyncio.gather(*map(projection.fold_deliveries, later), *map(count_all, instances))
    assert await execute(engine, "SELECT message_id FROM ingress.message WHERE NOT counted") == []
    await assert_exact(projection)
    assert await instances[0].count_uncounted(10) == 0
    await assert_exact(projection)


async def count_all(counts: MessageCounts) -> None:
    """Only one instance counts at a time. So this tries again as long as messages are uncounted."""
    while await execute(counts.engine, "SELECT message_id FROM ingress.message WHERE NOT counted LIMIT 1"):
        await counts.count_uncounted(2)


async def test_a_message_that_is_deleted_while_its_deliveries_are_counted_gets_no_counts(
    projection: StatusProjection,
) -> None:
    engine = projection.engine
    for fold in random_folds(1):
        await projection.fold_deliveries(fold)
    await execute(engine, "DELETE FROM ingress.message_count")
    await execute(engine, "UPDATE ingress.message SET counted = false")
    async with engine.begin() as connection:
        ids = {"message_ids": [f"msg_{number}" for number in range(MESSAGES)]}
        lacking = fetched(LackingCount, await connection.execute(sql.LACKING, ids))
        await execute(engine, "DELETE FROM ingress.message WHERE message_id = 'msg_1'")
        await store(connection, ids["message_ids"], lacking)
    left = await execute(engine, "SELECT DISTINCT message_id FROM ingress.message_count ORDER BY 1")
    assert [row[0] for row in left] == ["msg_0", "msg_2", "msg_3"]


async def test_a_deletion_and_a_change_of_the_same_messages_do_not_deadlock(projection: StatusProjection) -> None:
    """Each of them writes the counts of two messages, in different orders. Fails if the deletion does not wait for its
    turn: then each waits for the other one."""
    engine = projection.engine
    for fold in random_folds(1):
        await projection.fold_deliveries(fold)

    async def delete() -> None:
        async with engine.begin() as connection:
            for name in ("msg_1", "msg_0"):
                await connection.execute(DELETE_MESSAGES, {"message_ids": [name]})

    async with engine.begin() as connection:
        await connection.execute(CHANGE, {"message_id": "msg_0"})
        deletion = asyncio.create_task(delete())
        await until_waiting(engine)
        await connection.execute(CHANGE, {"message_id": "msg_1"})
    await deletion


async def until_waiting(engine: AsyncEngine) -> None:
    """Wait until another transaction waits for a lock."""
    async with asyncio.timeout(20):
        while not await execute(engine, WAITING_FOR_LOCKS):
            pass


async def test_the_counts_of_a_deleted_message_are_deleted(projection: StatusProjection) -> None:
    for fold in random_folds(1):
        await projection.fold_deliveries(fold)
    await execute(projection.engine, "DELETE FROM ingress.message WHERE message_id = 'msg_1'")
    left = await execute(projection.engine, "SELECT DISTINCT message_id FROM ingress.message_count ORDER BY 1")
    assert [row[0] for row in left] == ["msg_0", "msg_2", "msg_3"]


def nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


@pytest.mark.parametrize("is_later", [False, True])
@pytest.mark.parametrize("lane", [None, "open"])
async def test_a_page_of_messages_reads_no_delivery_and_few_rows(
    engine: AsyncEngine, lane: str | None, is_later: bool
) -> None:
    """One message of fifty is open, so a page of a lane must not look for them among all messages."""
    await execute(
        engine,
        """
INSERT INTO ingress.message (message_id, package_id, lane, kind, recipients, accepted_at)
SELECT 'msg_' || n, 'pkg' || n % 10, CASE WHEN n % 50 = 3 THEN 'open' ELSE 'reply' END, 'text', 20,
       now() - n * interval '1 minute'
FROM generate_series(1, 20000) AS n""",
    )
    await execute(
        engine,
        """
INSERT INTO ingress.delivery (delivery_id, message_id, package_id, lane, recipient, status, stage, attempt, turn, at)
SELECT 'dlv_' || n, 'msg_' || n, 'pkg' || n % 10, 'open', '201000000001', 'sent', 3, 1, 0, now()
FROM generate_series(1, 20000) AS n""",
    )
    for table in ("message", "delivery", "message_count"):
        await execute(engine, f"ANALYZE ingress.{table}")
    place = {"before_at": wall_now() - timedelta(days=1), "before_id": "msg_9"} if is_later else {}
    params = {"package_id": "pkg3", "limit": 21, **place} | ({} if lane is None else {"lane": lane})
    statement = sql.messages(frozenset(params) - {"package_id", "limit"})
    async with engine.connect() as connection:
        explained = text(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement.text}")
        found = (await connection.execute(explained, params)).scalar_one()
    (plan,) = json.loads(found) if isinstance(found, str) else found
    scans = [node for node in nodes(plan["Plan"]) if "Relation Name" in node or "Index Name" in node]
    read = {
        (node["Node Type"], node.get("Relation Name", "")): node["Actual Rows"] * node["Actual Loops"]
        for node in scans
        if node["Actual Loops"]
    }
    assert not any(kind == "Seq Scan" or relation == "delivery" for kind, relation in read), found
    assert sum(read.values()) <= 21 * 4
