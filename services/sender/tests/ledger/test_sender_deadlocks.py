"""Deadlocks: statements that change the same rows of the ledger in another order wait for each other and all end."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from sender.core.claim_result import claim_result
from sender.core.decision import MarkSent
from sender.core.slot_pool import FreeSlots
from sender.ledger.claim import Claim, FinishedClaim
from sender.ledger.postgres import DeliveryLedger
from sender.testing import NOON, batch_of, begin_calls, reply

pytestmark = pytest.mark.postgres

NAMES = ("m1", "m2", "m3")
WAITING = """
SELECT count(DISTINCT pid) FROM pg_locks
WHERE NOT granted"""


@pytest.fixture
def in_the_given_order(engine: AsyncEngine) -> None:
    """Postgres then looks rows up one by one, in the order in which a statement names them."""

    def choose_plans(connection: object, _: object) -> None:
        cursor = connection.cursor()  # pyright: ignore[reportAttributeAccessIssue]
        for plan in ("seqscan", "hashjoin", "mergejoin", "bitmapscan"):
            cursor.execute(f"SET enable_{plan} = off")
        connection.commit()  # pyright: ignore[reportAttributeAccessIssue]

    event.listen(engine.sync_engine, "connect", choose_plans)


def sent(claims: Sequence[Claim]) -> list[FinishedClaim]:
    return [FinishedClaim(claim, claim_result(MarkSent("wamid"), claim.delivery, NOON, 1)) for claim in claims]


async def together(engine: AsyncEngine, middle: str, first: Awaitable[object], second: Awaitable[object]) -> None:
    """Run both while the row in the middle is locked, so that each has locked the rows before it; then free it."""
    async with engine.connect() as watcher:
        async with engine.begin() as blocker:
            for table in ("delivery", "unpublished"):
                lock = text(f"SELECT FROM sender.{table} WHERE delivery_id = :middle FOR UPDATE")
                await blocker.execute(lock, {"middle": middle})
            tasks = [asyncio.ensure_future(first), asyncio.ensure_future(second)]
            async with asyncio.timeout(30):
                while (await watcher.execute(text(WAITING))).scalar_one() < len(tasks):
                    await asyncio.sleep(0.01)
        await asyncio.gather(*tasks)


async def begun(engine: AsyncEngine) -> list[str]:
    async with engine.connect() as connection:
        found = await connection.execute(text("SELECT delivery_id FROM sender.delivery WHERE state = 'sending'"))
        return list(found.scalars())


@pytest.mark.usefixtures("in_the_given_order")
@pytest.mark.parametrize("other", ["write", "take in again", "mark", "begin calls"])
async def test_two_statements_that_name_the_rows_in_another_order_both_end(
    make_ledger: Callable[..., DeliveryLedger], engine: AsyncEngine, other: str
) -> None:
    ledger = make_ledger()
    deliveries = [reply(name, recipient=f"20100000000{number}") for number, name in enumerate(NAMES)]
    claims = (await ledger.take_in(batch_of(*deliveries), free=FreeSlots(10))).claims
    results = sorted(sent(claims), key=lambda result: result.claim.delivery.delivery_id)
    backwards, middle = results[::-1], results[1].claim.delivery.delivery_id
    if other == "mark":
        await ledger.write(results)
        keys = [result.claim.key for result in results]
        await together(engine, middle, ledger.mark_published(keys), ledger.mark_published(keys[::-1]))
        assert await ledger.unpublished(older_than=NOON - NOON, limit=10) == []
        return
    if other == "begin calls":
        forwards = [result.claim for result in results]
        await together(engine, middle, begin_calls(ledger, *forwards), begin_calls(ledger, *forwards[::-1]))
        assert sorted(await begun(engine)) == sorted(claim.delivery.delivery_id for claim in forwards)
        return
    again = batch_of(*(result.claim.delivery for result in backwards), first=len(deliveries))
    second = ledger.write(backwards) if other == "write" else ledger.take_in(again, free=FreeSlots(0))
    await together(engine, middle, ledger.write(results), second)
    unpublished = await ledger.unpublished(older_than=NOON - NOON, limit=10)
    assert {key.delivery_id for key, _ in unpublished} == {delivery.delivery_id for delivery in deliveries}
