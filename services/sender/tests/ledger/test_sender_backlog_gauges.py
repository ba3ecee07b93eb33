"""Backlog: how much a lane holds, how late its oldest is, and what is settled and not told."""

from collections.abc import Callable

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from sender.core.claim_result import claim_result
from sender.core.concurrency import FreeSlots
from sender.core.decision import MarkSent
from sender.ledger.backlog import BacklogGauges
from sender.ledger.claim import FinishedClaim
from sender.ledger.postgres import DeliveryLedger
from sender.testing import NOON, batch_of, released, reply

pytestmark = pytest.mark.postgres


def shown(name: str) -> float | None:
    return REGISTRY.get_sample_value(f"spreader_sender_{name}", {"lane": "open"})


async def test_the_backlog_of_a_lane_is_what_waits_and_what_is_not_told(
    ledger: Callable[..., DeliveryLedger], engine: AsyncEngine
) -> None:
    """Dies when the other lane counts, when what is settled counts, and when a lease that runs is overdue."""
    book, backlog = ledger("open"), BacklogGauges(engine, "open")
    await ledger("reply").take_in(batch_of(reply("r1")), free=FreeSlots(0))
    taken = await book.take_in(batch_of(*(released(f"m{number}") for number in range(3))), free=FreeSlots(2))
    first, second = taken.claims
    await book.write([FinishedClaim(first, claim_result(MarkSent("wamid"), first.delivery, NOON, 1))])
    async with engine.begin() as connection:
        earlier = "UPDATE sender.delivery SET due_at = due_at - interval '40 seconds' WHERE state = 'ready'"
        await connection.execute(text(earlier))
    await backlog.update()
    assert (shown("unsettled_deliveries"), shown("unpublished_events")) == (2, 1)
    assert 40 <= (shown("overdue_seconds") or 0) < 60
    assert (shown("unpublished_oldest_seconds") or 0) > 0
    await book.mark_published([first.key])
    await book.write([FinishedClaim(second, claim_result(MarkSent("wamid"), second.delivery, NOON, 1))])
    await book.mark_published([second.key])
    await backlog.update()
    assert (shown("unsettled_deliveries"), shown("unpublished_events")) == (1, 0)
    assert shown("unpublished_oldest_seconds") == 0
