"""One person, two spellings of the number: the sender obeys the consent of both, and keeps the order of replies."""

from collections.abc import Awaitable, Callable, Sequence

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from sender.core.slot_pool import FreeSlots
from sender.ledger.claim import Claim
from sender.ledger.postgres import DeliveryLedger
from sender.testing import NOON, batch_of, begin_calls, released, reply
from spreader.consent import ConsentFollower, ConsentTable
from spreader.contract.events import ConsentChanged
from spreader.kafka.guarded_consumer import Received
from spreader.testing import NoDeduplication

pytestmark = pytest.mark.postgres

MakeLedger = Callable[..., DeliveryLedger]
PAIRS = [
    ("5582999448232", "558299448232"),
    ("525512345678", "5215512345678"),
    ("5491155551234", "541155551234"),
]
"""The key of a person, and the other spelling of the number."""
KEY, OTHER = PAIRS[0]
both_ways = pytest.mark.parametrize("pair", [*PAIRS, *(pair[::-1] for pair in PAIRS)])


async def stop(engine: AsyncEngine, number: str) -> None:
    change = ConsentChanged(
        package_id="pkg", recipient=number, kind="suppression", listed=True, source="opt_out_word", at=NOON
    )
    follower = ConsentFollower(engine, NoDeduplication(), ConsentTable("sender"))
    await follower.on_changed([Received(change, change.topic, 0, 0)])


async def stop_by_previous_version(engine: AsyncEngine, number: str) -> None:
    async with engine.begin() as connection:
        row = f"INSERT INTO sender.consent VALUES ('pkg', '{number}', 'suppression', now())"
        await connection.execute(text(row))


async def claim_one(ledger: DeliveryLedger, number: str) -> Claim:
    (claim,) = (await ledger.take_in(batch_of(released(recipient=number)), FreeSlots(1))).claims
    return claim


@both_ways
@pytest.mark.parametrize("stops", [stop, stop_by_previous_version])
async def test_stop_from_one_spelling_stops_the_other(
    engine: AsyncEngine,
    make_ledger: MakeLedger,
    pair: Sequence[str],
    stops: Callable[[AsyncEngine, str], Awaitable[None]],
) -> None:
    listed, stopped = pair
    await stops(engine, stopped)
    claim = await claim_one(make_ledger("open"), listed)
    assert claim.consents == frozenset({"suppression"})


@both_ways
async def test_a_call_does_not_begin_after_a_stop_from_the_other_spelling(
    engine: AsyncEngine, make_ledger: MakeLedger, pair: Sequence[str]
) -> None:
    listed, stopped = pair
    ledger = make_ledger("open")
    claim = await claim_one(ledger, listed)
    assert claim.consents == frozenset()
    await stop(engine, stopped)
    assert await begin_calls(ledger, claim) == []


async def test_replies_to_one_person_are_sent_one_after_the_other(make_ledger: MakeLedger) -> None:
    ledger = make_ledger("reply")
    batch = batch_of(reply("m1", OTHER), reply("m2", KEY))
    claims = (await ledger.take_in(batch, FreeSlots(2))).claims
    assert [claim.delivery.recipient for claim in claims] == [OTHER]
