"""The ledger on a real Postgres: repeats, newer attempts, leases, fencing, order, and what a crash leaves behind."""

from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from sender.core.claim_result import RetryLater, SettledClaim, StillInDoubt, claim_result
from sender.core.concurrency import FreeSlots
from sender.core.decision import Decision, Defer, MarkSent, ReturnToRouter
from sender.ledger.claim import Claim, FinishedClaim
from sender.ledger.postgres import DeliveryLedger
from sender.testing import NOON, batch_of, released, reply

pytestmark = pytest.mark.postgres

NONE = timedelta(0)


def settled(claim: Claim, decision: Decision) -> FinishedClaim:
    return FinishedClaim(claim, claim_result(decision, claim.delivery, NOON, 1))


def ids(claims: Sequence[Claim]) -> list[str]:
    return [claim.delivery.message_id for claim in claims]


async def test_what_arrives_is_claimed_in_the_same_commit_as_far_as_slots_are_free(
    ledger: Callable[..., DeliveryLedger],
) -> None:
    book = ledger("open")
    deliveries = [released(f"m{number}") for number in range(5)]
    taken = await book.take_in(batch_of(*deliveries), free=FreeSlots(3))
    assert (len(taken.claims), taken.waiting) == (3, 2)
    assert sorted(ids(taken.claims)) == ["m0", "m1", "m2"]
    assert len(await book.claim(FreeSlots(10))) == 2
    assert await book.claim(FreeSlots(10)) == ()


async def test_a_repeat_does_nothing(ledger: Callable[..., DeliveryLedger]) -> None:
    book = ledger()
    (claim,) = (await book.take_in(batch_of(reply(), reply()), free=FreeSlots(10))).claims
    assert (await book.take_in(batch_of(reply(), first=2), free=FreeSlots(10))).claims == ()
    await book.write([settled(claim, MarkSent("wamid"))])
    assert (await book.take_in(batch_of(reply(attempt=2), first=3), free=FreeSlots(10))).claims == ()


async def test_a_record_below_the_position_is_not_even_looked_at(ledger: Callable[..., DeliveryLedger]) -> None:
    book = ledger()
    await book.take_in(batch_of(reply("m1")), free=FreeSlots(0))
    await book.take_in(batch_of(reply("m2")), free=FreeSlots(0))
    assert ids(await book.claim(FreeSlots(10))) == ["m1"]


@pytest.mark.parametrize(
    ("decision", "attempt", "release", "comes_again"),
    [
        (Defer(NONE, "busy"), 1, 2, True),
        (ReturnToRouter("blocked", "profile"), 2, 1, True),
        (Defer(NONE, "busy"), 1, 1, False),
        (MarkSent("wamid"), 1, 2, False),
        (MarkSent("wamid"), 2, 1, False),
    ],
)
async def test_only_what_was_surely_not_sent_is_asked_for_again(
    ledger: Callable[..., DeliveryLedger], decision: Decision, attempt: int, release: int, comes_again: bool
) -> None:
    book = ledger("open")
    (claim,) = (await book.take_in(batch_of(released()), free=FreeSlots(1))).claims
    await book.write([settled(claim, decision)])
    newer = released(attempt=attempt, release=release)
    claims = (await book.take_in(batch_of(newer, first=1), free=FreeSlots(1))).claims
    assert [claim.delivery for claim in claims] == ([newer] if comes_again else [])


async def test_tries_are_counted_on_a_profile_over_its_releases(ledger: Callable[..., DeliveryLedger]) -> None:
    book = ledger("open")
    tries: list[int] = []
    asked = [released(), released(release=2), released(attempt=2)]
    for offset, delivery in enumerate(asked):
        (claim,) = (await book.take_in(batch_of(delivery, first=offset), free=FreeSlots(1))).claims
        tries.append(claim.tries)
        await book.write([settled(claim, Defer(NONE, "busy"))])
    assert tries == [1, 2, 1]


async def test_a_lease_that_has_ended_is_taken_over_in_doubt(ledger: Callable[..., DeliveryLedger]) -> None:
    dead, heir = ledger(worker="dead", lease_seconds=0), ledger(worker="heir")
    (lost,) = (await dead.take_in(batch_of(reply()), free=FreeSlots(1))).claims
    (inherited,) = await heir.claim(FreeSlots(1))
    assert (lost.in_doubt, inherited.in_doubt) == (False, True)
    assert inherited.delivery == lost.delivery
    assert await dead.claim(FreeSlots(1)) == ()


async def test_a_lease_that_holds_is_respected(ledger: Callable[..., DeliveryLedger]) -> None:
    (claim,) = (await ledger(worker="busy").take_in(batch_of(reply()), free=FreeSlots(1))).claims
    assert await ledger(worker="other").claim(FreeSlots(1)) == ()
    assert claim.outlasts(30)


async def test_a_result_under_a_lost_claim_is_void(ledger: Callable[..., DeliveryLedger]) -> None:
    slow, heir = ledger(worker="slow", lease_seconds=0), ledger(worker="heir")
    (lost,) = (await slow.take_in(batch_of(reply()), free=FreeSlots(1))).claims
    (inherited,) = await heir.claim(FreeSlots(1))
    assert await slow.write([settled(lost, MarkSent("first"))]) == set()
    assert await slow.renew(lost) is None
    assert await heir.write([settled(inherited, MarkSent("second"))]) == {inherited.key}
    assert [key for key, _ in await heir.unpublished(NONE, 10)] == [inherited.key] * 2


async def test_a_worker_cannot_write_under_its_own_older_claim(ledger: Callable[..., DeliveryLedger]) -> None:
    book = ledger(lease_seconds=0)
    (older,) = (await book.take_in(batch_of(reply()), free=FreeSlots(1))).claims
    (newer,) = await book.claim(FreeSlots(1))
    assert await book.write([settled(older, MarkSent("first"))]) == set()
    assert await book.write([settled(newer, MarkSent("second"))]) == {newer.key}


async def test_a_renewed_lease_holds(ledger: Callable[..., DeliveryLedger], engine: AsyncEngine) -> None:
    (claim,) = (await ledger(lease_seconds=0).take_in(batch_of(reply()), free=FreeSlots(1))).claims
    renewed = await ledger(lease_seconds=60).renew(claim)
    assert renewed is not None
    assert renewed.outlasts(30)
    assert await ledger(worker="other").claim(FreeSlots(1)) == ()


async def test_replies_to_one_recipient_go_one_after_the_other_in_the_order_asked_for(
    ledger: Callable[..., DeliveryLedger],
) -> None:
    book, order = ledger(), list[str]()
    ann, bob = "201000000001", "201000000002"
    asked = [reply("a1", ann), reply("a2", ann), reply("b1", bob), reply("a3", ann)]
    claims = (await book.take_in(batch_of(*asked), free=FreeSlots(10))).claims
    assert sorted(ids(claims)) == ["a1", "b1"]
    while claims:
        order += sorted(ids(claims))
        await book.write([settled(claim, MarkSent("wamid")) for claim in claims])
        claims = await book.claim(FreeSlots(10))
    assert order == ["a1", "b1", "a2", "a3"]


async def test_a_reply_waits_for_the_retry_of_the_one_before_it(ledger: Callable[..., DeliveryLedger]) -> None:
    book = ledger()
    (first,) = (await book.take_in(batch_of(reply("m1"), reply("m2")), free=FreeSlots(10))).claims
    await book.write([FinishedClaim(first, RetryLater(timedelta(hours=1)))])
    assert await book.claim(FreeSlots(10)) == ()
    work = await book.due_work()
    assert work.due_now
    assert work.next_in_seconds == pytest.approx(3600, abs=60)


async def test_open_deliveries_to_one_recipient_do_not_wait_for_each_other(
    ledger: Callable[..., DeliveryLedger],
) -> None:
    taken = await ledger("open").take_in(batch_of(released("m1"), released("m2")), free=FreeSlots(10))
    assert sorted(ids(taken.claims)) == ["m1", "m2"]


async def test_a_retry_comes_when_it_is_due_and_not_in_doubt(ledger: Callable[..., DeliveryLedger]) -> None:
    book = ledger()
    (first,) = (await book.take_in(batch_of(reply()), free=FreeSlots(1))).claims
    await book.write([FinishedClaim(first, RetryLater(NONE))])
    (second,) = await book.claim(FreeSlots(1))
    assert (second.tries, second.in_doubt) == (2, False)
    await book.write([FinishedClaim(second, RetryLater(timedelta(hours=1)))])
    assert await book.claim(FreeSlots(1)) == ()


async def test_what_was_given_back_in_doubt_is_taken_in_doubt(ledger: Callable[..., DeliveryLedger]) -> None:
    book = ledger()
    (first,) = (await book.take_in(batch_of(reply()), free=FreeSlots(1))).claims
    await book.write([FinishedClaim(first, StillInDoubt(NONE))])
    assert [claim.in_doubt for claim in await book.claim(FreeSlots(1))] == [True]


async def test_the_lanes_do_not_see_each_other(ledger: Callable[..., DeliveryLedger]) -> None:
    await ledger("open").take_in(batch_of(released("m1")), free=FreeSlots(0))
    await ledger("reply").take_in(batch_of(reply("m2")), free=FreeSlots(0))
    assert ids(await ledger("reply").claim(FreeSlots(10))) == ["m2"]
    assert ids(await ledger("open").claim(FreeSlots(10))) == ["m1"]


async def test_a_crash_between_commit_and_publish_leaves_the_events_to_be_found(
    ledger: Callable[..., DeliveryLedger],
) -> None:
    book = ledger()
    (claim,) = (
        await book.take_in(batch_of(reply().model_copy(update={"traceparent": "00-a-b-01"})), free=FreeSlots(1))
    ).claims
    result = settled(claim, MarkSent("wamid"))
    assert isinstance(result.result, SettledClaim)
    await book.write([result])
    left_over = await ledger(worker="heir").unpublished(NONE, 10)
    assert {event.type: event for _, event in left_over} == {event.type: event for event in result.result.events}
    assert [event.traceparent for _, event in left_over] == ["00-a-b-01"] * 2
    await book.mark_published([claim.key])
    assert await book.unpublished(NONE, 10) == []


async def test_only_what_was_settled_long_ago_is_forgotten_in_small_steps(
    ledger: Callable[..., DeliveryLedger],
) -> None:
    book = ledger()
    asked = [reply(f"m{number}", f"20100000000{number}") for number in range(4)]
    claims = (await book.take_in(batch_of(*asked), free=FreeSlots(3))).claims
    await book.write([settled(claim, MarkSent("wamid")) for claim in claims])
    assert await book.delete_settled(timedelta(days=8), 10) == 0
    assert await book.delete_settled(NONE, 2) == 2
    assert await book.delete_settled(NONE, 2) == 1
    assert ids(await book.claim(FreeSlots(10))) == ["m3"]


async def test_a_settled_delivery_keeps_no_words(ledger: Callable[..., DeliveryLedger], engine: AsyncEngine) -> None:
    book = ledger()
    (claim,) = (await book.take_in(batch_of(reply()), free=FreeSlots(1))).claims
    await book.write([settled(claim, MarkSent("wamid"))])
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT asked FROM sender.delivery")) is None
