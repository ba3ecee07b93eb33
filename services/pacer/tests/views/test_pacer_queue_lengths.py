"""Queue lengths: the work of a question does not grow with the queue, and a loop counts long queues."""

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from pacer.sql import queue_lengths as sql
from pacer.testing import START, Pacer, assigned, package
from pacer.views.queue_lengths import EXACT_MAX, IDLE_SECONDS, QueueLengths

pytestmark = pytest.mark.postgres

PROFILES = ("p0", "p1")
HOLD_MANY = text("""
INSERT INTO pacer.delivery (delivery_id, message_id, package_id, profile_id, recipient, index, attempt, tried, rank,
                            asked_at, not_before)
SELECT profile_id || '/' || number, 'msg_many', 'one', profile_id, '2012' || number, number, 1, '{}', 1, now(), now()
FROM unnest(CAST(:profile_ids AS text[])) AS profile_id, generate_series(1, :count) AS number""")


async def hold_many(pacer: Pacer, count: int, *profile_ids: str) -> None:
    async with pacer.engine.begin() as connection:
        await connection.execute(HOLD_MANY, {"profile_ids": list(profile_ids), "count": count})


def nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


async def deliveries_read(pacer: Pacer) -> int:
    """How many rows and index entries of deliveries the statement reads, as Postgres counts them."""
    params = {"profile_ids": list(PROFILES), "exact_max": EXACT_MAX}
    async with pacer.engine.begin() as connection:
        await connection.execute(sql.IN_QUEUE_ORDER)
        explained = text(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql.QUEUE_LENGTHS.text}")
        found = (await connection.execute(explained, params)).scalar_one()
    (plan,) = json.loads(found) if isinstance(found, str) else found
    scans = [
        node for node in nodes(plan["Plan"]) if "delivery" in str(node.get("Index Name", node.get("Relation Name")))
    ]
    assert scans
    return sum(node["Actual Rows"] * node["Actual Loops"] for node in scans)


@pytest.mark.parametrize("analyzed", [False, True])
async def test_the_work_of_a_question_does_not_grow_with_the_queue(pacer: Pacer, analyzed: bool) -> None:
    """Red before: each question read every held delivery of a profile, up to 100,000."""
    await pacer.hold(assigned(2, profiles=2))
    await hold_many(pacer, 20_000, *PROFILES)
    if analyzed:
        async with pacer.engine.begin() as connection:
            await connection.execute(text("ANALYZE pacer.delivery"))
    assert await deliveries_read(pacer) <= len(PROFILES) * (EXACT_MAX + 1)


async def test_a_long_queue_has_the_length_and_the_newest_assignment_of_its_last_count(pacer: Pacer) -> None:
    pacer.config.configure(package(profiles=2))
    lengths = QueueLengths(pacer.engine)
    await pacer.hold(assigned(3, profiles=2).model_copy(update={"assigned_at": START}))
    assert await lengths.count_one() == IDLE_SECONDS
    await hold_many(pacer, 5_000, "p0")
    before = await lengths.of(PROFILES)
    assert {name: (row.held, row.is_counted) for name, row in before.items()} == {
        "p0": (EXACT_MAX + 1, False),
        "p1": (1, True),
    }
    assert await lengths.count_one() < IDLE_SECONDS
    assert await lengths.count_one() == IDLE_SECONDS  # counted just now
    later = START + timedelta(seconds=1)
    await pacer.hold(assigned(2, "msg_2", profiles=2).model_copy(update={"assigned_at": later}))
    after = await lengths.of(PROFILES)
    assert {name: (row.held, row.assigned_until) for name, row in after.items()} == {
        "p0": (5_002, START),
        "p1": (2, later),
    }


async def test_a_queue_that_is_short_again_is_counted_exactly(pacer: Pacer) -> None:
    lengths = QueueLengths(pacer.engine)
    await pacer.hold(assigned(2))
    await hold_many(pacer, 2_000, "p0")
    await lengths.of(["p0"])
    await lengths.count_one()
    async with pacer.engine.begin() as connection:
        await connection.execute(text("UPDATE pacer.delivery SET state = 'settled' WHERE message_id = 'msg_many'"))
        await connection.execute(text("UPDATE pacer.queue_length SET counted_at = NULL"))
    assert (await lengths.of(["p0"]))["p0"].held == 2
    await lengths.count_one()
    async with pacer.engine.connect() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM pacer.queue_length"))).scalar_one() == 0
