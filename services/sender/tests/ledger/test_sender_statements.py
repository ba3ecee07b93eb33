"""How many statements a delivery costs: each is a round trip, and processor time in two processes."""

from collections.abc import Callable

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from sender.gateways.simulator import SimulatorDriver
from sender.ledger.postgres import DeliveryLedger
from sender.testing import FakeGateway, reply
from sender.testing.lane_runner import run_lane
from spreader.testing import counted_sql, prepared_sql

pytestmark = pytest.mark.postgres

MakeLedger = Callable[..., DeliveryLedger]

REPLIES = 10


async def test_a_reply_costs_few_statements(
    make_ledger: MakeLedger, driver: SimulatorDriver, gateway: FakeGateway
) -> None:
    """Taking it in is one transaction of four statements. The start of its call, its result with the events, and the
    mark of the published events are one statement each."""
    async with run_lane(make_ledger("reply"), driver, gateway) as sender:
        await sender.receive(reply("first"))  # adds the row of the partition
        await sender.outcomes(1)
        with counted_sql() as sql:
            for number in range(REPLIES):
                await sender.receive(reply(f"m{number}"))
                await sender.outcomes(2 + number)
    assert len(sql.statements) <= 9.5 * REPLIES, sql.statements
    assert sql.transactions <= 4.5 * REPLIES


async def test_the_first_reply_after_a_rehearsal_prepares_no_statement(
    engine: AsyncEngine,
    make_ledger: MakeLedger,
    driver: SimulatorDriver,
    gateway: FakeGateway,
) -> None:
    """Only the statement that adds the row of a new partition is not rehearsed. It runs before: at the start, for all
    partitions."""
    ledger = make_ledger("reply")
    async with run_lane(ledger, driver, gateway) as sender:
        await ledger.rehearse()
        async with engine.connect() as connection:
            for table in ("delivery", "unpublished", "position"):
                assert (await connection.execute(text(f"SELECT count(*) FROM sender.{table}"))).scalar_one() == 0
        with prepared_sql() as prepared:
            await sender.receive(reply("first"))
            await sender.outcomes(1)
    assert [query for query in prepared if 'INSERT INTO "sender".position' not in query] == []
