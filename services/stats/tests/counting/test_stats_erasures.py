"""Erasures in stats, on a real Postgres: counts stay, and the contact of an erased person goes and does not return."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from local.testbed.sql_search import tables_with
from spreader.contract.events import ErasureReported, RecipientErased
from spreader.contract.ids import ERASED
from spreader.erasure.eraser import Eraser, report_to
from spreader.erasure.postgres import ErasureTable
from spreader.kafka.guarded_consumer import Received
from stats.core.tally import count_contacts, count_customer_messages, count_outcomes
from stats.counting.sql_erasures import REMOVALS
from stats.testing import StatsHarness, customer_message, outcome, package, profile

NOON = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NUMBER = "201000000001"


async def erase(stats: StatsHarness) -> None:
    table = ErasureTable("stats")
    eraser = Eraser(stats.engine, table, stats.clock, REMOVALS, report_to(stats.bus))
    event = RecipientErased(erasure_id="ers_1", recipient=NUMBER, at=NOON)
    await eraser.on_erased([Received(event, event.topic, 0, 0)])
    for _ in range(3):
        await eraser.run_once()


async def traces(stats: StatsHarness, number: str = NUMBER) -> set[str]:
    async with stats.engine.connect() as connection:
        return await tables_with(connection, number, "stats")


@pytest.mark.postgres
async def test_the_contact_of_an_erased_person_goes_and_older_events_do_not_bring_it_back(engine: AsyncEngine) -> None:
    stats = StatsHarness(engine, NOON, package("shop", profile("sales")))
    await stats.receive(outcome(1, "sent", NOON), outcome(2, "sent", NOON), customer_message(1, NOON))
    assert await traces(stats) == {"stats.contact"}
    await erase(stats)
    assert [report.rows for report in stats.bus.of(ErasureReported)] == [{"stats.contact": 1}]
    await stats.receive(
        outcome(3, "sent", NOON, recipient=NUMBER),
        outcome(1, "read", NOON + MINUTE, recipient=ERASED),
        customer_message(1, NOON - MINUTE),
    )
    assert await traces(stats) == await traces(stats, f",{ERASED},") == set()
    stats.clock.forward(2 * MINUTE)
    assert await traces(stats, "201000000002") == {"stats.contact"}
    counts = (await stats.state("sales")).windows.day
    assert (counts.sent, counts.read, counts.received) == (3, 1, 2)
    await stats.receive(customer_message(1, NOON + MINUTE))
    assert await traces(stats) == {"stats.contact"}


def test_an_erased_person_counts_but_has_no_history() -> None:
    outcomes = [outcome(1, "delivered", NOON, recipient=ERASED)]
    tally = count_outcomes(outcomes, {})
    assert tally.contact_keys == frozenset()
    tally = count_contacts(tally, {})
    (sums,) = tally.added.values()
    assert (sums.sent, sums.delivered, sums.new_contacts, tally.contacts) == (1, 1, 0, {})
    tally = count_customer_messages([customer_message(1, NOON, recipient=ERASED)], {})
    assert ([sums.received for sums in tally.added.values()], tally.contacts) == ([1], {})
