"""The states of a claim before and during its call: what a death, a late owner or a previous version leads to."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from sender.core.claim_result import RetryLater, StillInDoubt, claim_result
from sender.core.decision import Decision, Defer, Fail, MarkSent, MarkUnknown, RetryHere, ReturnToRouter
from sender.core.delivery import Delivery
from sender.core.slot_pool import FreeSlots
from sender.ledger.call_starts import CallStarts
from sender.ledger.claim import Claim, FinishedClaim
from sender.ledger.postgres import DeliveryLedger, NotToClaim
from sender.testing import NOON, batch_of, begin_calls, released, reply
from spreader.contract.events import Lane

pytestmark = pytest.mark.postgres

MakeLedger = Callable[..., DeliveryLedger]
ONE = FreeSlots(1)
NONE = timedelta(0)
LANES: tuple[Lane, ...] = ("open", "reply")
OLD_CLAIM = text("""
UPDATE sender.delivery SET state = 'sending', worker = 'old', claim = claim + 1, tries = tries + 1,
                           due_at = clock_timestamp()
RETURNING (SELECT before.state FROM sender.delivery AS before) AS was""")
"""A claim by the previous version, whose lease ends at once. It finds a delivery in doubt if it was `sending`."""


def delivery_in(lane: Lane) -> Delivery:
    return reply() if lane == "reply" else released()


async def taken(ledger: DeliveryLedger, lane: Lane) -> Claim:
    (claim,) = (await ledger.take_in(batch_of(delivery_in(lane)), ONE)).claims
    return claim


def finished(claim: Claim, decision: Decision) -> FinishedClaim:
    return FinishedClaim(claim, claim_result(decision, claim.delivery, NOON, 1))


async def stored(engine: AsyncEngine) -> tuple[str, str | None]:
    async with engine.connect() as connection:
        return tuple((await connection.execute(text("SELECT state, status FROM sender.delivery"))).one())


async def claim_as_previous_version(engine: AsyncEngine) -> bool:
    """Whether the previous version takes the delivery over as one that may have been sent."""
    async with engine.begin() as connection:
        return (await connection.execute(OLD_CLAIM)).scalar_one() == "sending"


@contextmanager
def counted_statements(engine: AsyncEngine) -> Generator[list[str]]:
    seen = list[str]()

    def count(*arguments: Any) -> None:
        seen.append(arguments[2])

    event.listen(engine.sync_engine, "before_cursor_execute", count)
    try:
        yield seen
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", count)


@pytest.mark.parametrize("lane", LANES)
async def test_a_delivery_whose_sender_died_before_its_call_was_certainly_not_sent(
    make_ledger: MakeLedger, lane: Lane
) -> None:
    await taken(make_ledger(lane, "dead", lease_seconds=0), lane)
    (again,) = await make_ledger(lane, "heir").claim(ONE)
    assert (again.in_doubt, again.tries, again.number) == (False, 1, 2)


@pytest.mark.parametrize("lane", LANES)
async def test_a_doubt_survives_a_claim_that_began_no_call(make_ledger: MakeLedger, lane: Lane) -> None:
    dead = make_ledger(lane, "dead", lease_seconds=0)
    await begin_calls(dead, await taken(dead, lane))
    assert [claim.in_doubt for claim in await dead.claim(ONE)] == [True]
    assert [claim.in_doubt for claim in await dead.claim(ONE)] == [True]


@pytest.mark.parametrize("lane", LANES)
async def test_a_sender_that_was_frozen_after_its_claim_begins_no_call(make_ledger: MakeLedger, lane: Lane) -> None:
    frozen, heir = make_ledger(lane, "frozen", lease_seconds=0), make_ledger(lane, "heir")
    old = await taken(frozen, lane)
    (new,) = await heir.claim(ONE)
    assert await begin_calls(frozen, old) == []
    assert [claim.number for claim in await begin_calls(heir, new)] == [new.number]
    assert await begin_calls(frozen, old) == []


@pytest.mark.parametrize(
    ("decision", "state", "status"),
    [
        (MarkSent("wamid"), "settled", "sent"),
        (Defer(NONE, "busy"), "settled", "deferred"),
        (ReturnToRouter("blocked", "profile"), "settled", "returned"),
        (Fail("no such number", "recipient"), "settled", "failed"),
        (RetryHere(NONE), "ready", None),
    ],
)
async def test_a_late_definite_result_counts_while_the_newer_claim_has_begun_no_call(
    make_ledger: MakeLedger, engine: AsyncEngine, decision: Decision, state: str, status: str | None
) -> None:
    slow, heir = make_ledger("open", "slow", lease_seconds=0), make_ledger("open", "heir")
    old = await taken(slow, "open")
    await begin_calls(slow, old)
    (new,) = await heir.claim(ONE)
    assert await slow.write([finished(old, decision)]) == {old.key}
    assert await stored(engine) == (state, status)
    assert await begin_calls(heir, new) == []
    assert await heir.write([finished(new, MarkUnknown("no answer"))]) == set()


@pytest.mark.parametrize("result", [StillInDoubt(NONE), RetryLater(NONE)])
async def test_a_late_result_does_not_count_when_the_newer_claim_has_begun_its_call(
    make_ledger: MakeLedger, engine: AsyncEngine, result: StillInDoubt | RetryLater
) -> None:
    slow, heir = make_ledger("reply", "slow", lease_seconds=0), make_ledger("reply", "heir")
    old = await taken(slow, "reply")
    await begin_calls(slow, old)
    (new,) = await heir.claim(ONE)
    await begin_calls(heir, new)
    assert await slow.write([FinishedClaim(old, result)]) == set()
    assert await heir.write([finished(new, MarkSent("wamid"))]) == {new.key}
    assert await stored(engine) == ("settled", "sent")


@pytest.mark.parametrize("decision", [MarkUnknown("no answer")])
async def test_a_late_result_that_is_not_definite_does_not_count(make_ledger: MakeLedger, decision: Decision) -> None:
    slow, heir = make_ledger("open", "slow", lease_seconds=0), make_ledger("open", "heir")
    old = await taken(slow, "open")
    await begin_calls(slow, old)
    (new,) = await heir.claim(ONE)
    assert await slow.write([FinishedClaim(old, StillInDoubt(NONE)), finished(old, decision)]) == set()
    assert len(await begin_calls(heir, new)) == 1


@pytest.mark.parametrize(("decision", "status"), [(MarkSent("wamid"), "sent"), (Defer(NONE, "busy"), "unknown")])
async def test_a_late_answer_that_it_was_sent_replaces_an_unknown_that_made_no_call(
    make_ledger: MakeLedger, engine: AsyncEngine, decision: Decision, status: str
) -> None:
    """A deferral does not: the pacer has counted the release as ended, and must not release the delivery again."""
    slow, heir = make_ledger("open", "slow", lease_seconds=0), make_ledger("open", "heir")
    old = await taken(slow, "open")
    await begin_calls(slow, old)
    (new,) = await heir.claim(ONE)
    assert await heir.write([finished(new, MarkUnknown("it cannot be asked"))]) == {new.key}
    assert await slow.write([finished(old, decision)]) == ({old.key} if status == "sent" else set())
    assert await stored(engine) == ("settled", status)


async def test_a_claim_of_the_previous_version_counts_as_a_call_that_has_begun(
    make_ledger: MakeLedger, engine: AsyncEngine
) -> None:
    new_version = make_ledger("open", lease_seconds=0)
    claim = await taken(new_version, "open")
    assert not await claim_as_previous_version(engine)  # no call had begun
    assert await begin_calls(new_version, claim) == []
    assert await new_version.write([finished(claim, Defer(NONE, "busy"))]) == set()  # the old one may be calling
    (again,) = await new_version.claim(ONE)
    assert again.in_doubt


async def test_the_previous_version_finds_a_call_that_has_begun_in_doubt(
    make_ledger: MakeLedger, engine: AsyncEngine
) -> None:
    ledger = make_ledger("open", lease_seconds=0)
    await begin_calls(ledger, await taken(ledger, "open"))
    assert await claim_as_previous_version(engine)


async def test_a_delivery_that_this_process_is_still_sending_is_not_claimed(make_ledger: MakeLedger) -> None:
    ledger = make_ledger(lease_seconds=0)
    claim = await taken(ledger, "reply")
    assert await ledger.claim(ONE, NotToClaim(own=[claim.delivery.delivery_id])) == ()
    other = batch_of(reply("m2", "201000000002"), first=1)
    (claimed,) = (await ledger.take_in(other, FreeSlots(2), NotToClaim(own=[claim.delivery.delivery_id]))).claims
    assert claimed.delivery.message_id == "m2"


async def test_while_calls_are_not_taken_over_other_deliveries_are_claimed(make_ledger: MakeLedger) -> None:
    dead, heir = make_ledger("open", "dead", lease_seconds=0), make_ledger("open", "heir")
    asked = [released(name) for name in ("called", "claimed", "doubt", "new")]
    taken_in = await dead.take_in(batch_of(*asked[:3]), FreeSlots(3))
    claims = {claim.delivery.message_id: claim for claim in taken_in.claims}
    await begin_calls(dead, claims["called"], claims["doubt"])
    await dead.write([FinishedClaim(claims["doubt"], StillInDoubt(NONE))])
    await dead.take_in(batch_of(asked[3], first=3), FreeSlots(0))
    claimed = await heir.claim(FreeSlots(9), NotToClaim(take_over=False))
    assert {claim.delivery.message_id for claim in claimed} == {"claimed", "doubt", "new"}
    assert [claim.delivery.message_id for claim in await heir.claim(FreeSlots(9))] == ["called"]


async def test_concurrent_calls_begin_in_few_statements(make_ledger: MakeLedger, engine: AsyncEngine) -> None:
    ledger = make_ledger("open")
    claims = (await ledger.take_in(batch_of(*(released(f"m{number}") for number in range(60))), FreeSlots(60))).claims
    starts = CallStarts(ledger)
    with counted_statements(engine) as statements:
        started = await asyncio.gather(*(starts.start(claim, resent=False) for claim in claims))
    assert [start.claim.number for start in started if start is not None] == [1] * 60
    assert len(statements) <= 30


async def test_a_call_start_that_cannot_be_written_is_an_error_of_its_own_group_only(
    make_ledger: MakeLedger, engine: AsyncEngine
) -> None:
    ledger = make_ledger("open")
    starts = CallStarts(ledger)
    claims = (await ledger.take_in(batch_of(released("m1"), released("m2")), FreeSlots(2))).claims
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE sender.delivery RENAME TO gone"))
    with pytest.raises(Exception, match="does not exist"):
        await starts.start(claims[0], resent=False)
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE sender.gone RENAME TO delivery"))
    assert await starts.start(claims[1], resent=False) is not None
    assert await starts.start(claims[0], resent=False) is not None
