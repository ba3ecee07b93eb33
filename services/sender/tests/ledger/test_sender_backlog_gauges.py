"""Backlog gauges: unsettled deliveries, the age of the oldest, and unpublished events."""

from collections.abc import Callable

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from sender.core.claim_result import claim_result
from sender.core.decision import MarkSent
from sender.core.slot_pool import FreeSlots
from sender.ledger.backlog import BacklogGauges
from sender.ledger.claim import FinishedClaim
from sender.ledger.postgres import DeliveryLedger
from sender.testing import NOON, batch_of, released, reply

pytestmark = pytest.mark.postgres


def shown(name: str) -> float | None:
    return REGISTRY.get_sample_value(f"spreader_sender_{name}", {"lane": "open"})


async def test_the_gauges_count_unsettled_deliveries_and_unpublished_events_of_one_lane(
    make_ledger: Callable[..., DeliveryLedger], engine: AsyncEngine
) -> None:
    """Fails if the other lane, settled deliveries or running leases are counted."""
    ledger, backlog = make_ledger("open"), BacklogGauges(engine, "open")
    await make_ledger("reply").take_in(batch_of(reply("r1")), free=FreeSlots(0))
    taken = await ledger.take_in(batch_of(*(released(f"m{number}") for number in range(3))), free=FreeSlots(2))
    first, second = taken.claims
    await ledger.write([FinishedClaim(first, claim_result(MarkSent("wamid"), first.delivery, NOON, 1))])
    async with engine.begin() as connection:
        earlier = "UPDATE sender.delivery SET due_at = due_at - interval '40 seconds' WHERE state = 'ready'"
        await connection.execute(text(earlier))
    await backlog.update()
    assert (shown("unsettled_deliveries"), shown("unpublished_events")) == (2, 1)
    assert 40 <= (shown("overdue_seconds") or 0) < 60
    assert (shown("unpublished_oldest_seconds") or 0) > 0
    await ledger.mark_published([first.key])
    await ledger.write([FinishedClaim(second, claim_result(MarkSent("wamid"), second.delivery, NOON, 1))])
    await ledger.mark_published([second.key])
    await backlog.update()
    assert (shown("unsettled_deliveries"), shown("unpublished_events")) == (1, 0)
    assert shown("unpublished_oldest_seconds") == 0
