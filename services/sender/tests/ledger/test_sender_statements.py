"""How many statements a delivery costs: each is a round trip, and processor time in two processes."""

from collections.abc import Callable

import pytest

from sender.gateways.simulator import SimulatorDriver
from sender.ledger.postgres import DeliveryLedger
from sender.testing import FakeGateway, reply
from sender.testing.lane_runner import run_lane
from spreader.testing import counted_sql

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
