"""Delivery ledger on a real Postgres: repeats, newer attempts, leases, fencing, order, and crashes."""

from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from sender.core.claim_result import RetryLater, SettledClaim, StillInDoubt, claim_result
from sender.core.decision import Decision, Defer, MarkSent, ReturnToRouter
from sender.core.slot_pool import FreeSlots
from sender.ledger.claim import Claim, FinishedClaim
from sender.ledger.postgres import DeliveryLedger
from sender.testing import NOON, batch_of, begin_calls, forgetting, released, reply

pytestmark = pytest.mark.postgres

NONE = timedelta(0)


def settled(claim: Claim, decision: Decision) -> FinishedClaim:
    return FinishedClaim(claim, claim_result(decision, claim.delivery, NOON, 1))


def ids(claims: Sequence[Claim]) -> list[str]:
    return [claim.delivery.message_id for claim in claims]


async def test_new_deliveries_are_claimed_in_the_same_commit_up_to_the_free_slots(
    make_ledger: Callable[..., DeliveryLedger],
) -> None:
    ledger = make_ledger("open")
    deliveries = [released(f"m{number}") for number in range(5)]
    taken = await ledger.take_in(batch_of(*deliveries), free=FreeSlots(3))
    assert (len(taken.claims), taken.waiting) == (3, 2)
    assert sorted(ids(taken.claims)) == ["m0", "m1", "m2"]
    assert len(await ledger.claim(FreeSlots(10))) == 2
    assert await ledger.claim(FreeSlots(10)) == ()


async def test_a_repeat_does_nothing(make_ledger: Callable[..., DeliveryLedger]) -> None:
    ledger = make_ledger()
    (claim,) = (await ledger.take_in(batch_of(reply(), reply()), free=FreeSlots(10))).claims
    assert (await ledger.take_in(batch_of(reply(), first=2), free=FreeSlots(10))).claims == ()
    await ledger.write([settled(claim, MarkSent("wamid"))])
    assert (await ledger.take_in(batch_of(reply(attempt=2), first=3), free=FreeSlots(10))).claims == ()


async def test_a_record_below_the_stored_offset_is_dropped(make_ledger: Callable[..., DeliveryLedger]) -> None:
    ledger = make_ledger()
    await ledger.take_in(batch_of(reply("m1")), free=FreeSlots(0))
    await ledger.take_in(batch_of(reply("m2")), free=FreeSlots(0))
    assert ids(await ledger.claim(FreeSlots(10))) == ["m1"]


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
async def test_only_a_delivery_that_was_certainly_not_sent_can_come_back(
    make_ledger: Callable[..., DeliveryLedger], decision: Decision, attempt: int, release: int, comes_again: bool
) -> None:
    ledger = make_ledger("open")
    (claim,) = (await ledger.take_in(batch_of(released()), free=FreeSlots(1))).claims
    await ledger.write([settled(claim, decision)])
    newer = released(attempt=attempt, release=release)
    claims = (await ledger.take_in(batch_of(newer, first=1), free=FreeSlots(1))).claims
    assert [claim.delivery for claim in claims] == ([newer] if comes_again else [])


async def test_tries_are_counted_per_profile_across_releases(make_ledger: Callable[..., DeliveryLedger]) -> None:
    ledger = make_ledger("open")
    tries: list[int] = []
    asked = [released(), released(release=2), released(attempt=2)]
    for offset, delivery in enumerate(asked):
        (claim,) = (await ledger.take_in(batch_of(delivery, first=offset), free=FreeSlots(1))).claims
        tries.append(claim.tries)
        await ledger.write([settled(claim, Defer(NONE, "busy"))])
    assert tries == [1, 2, 1]


async def test_a_delivery_whose_lease_has_ended_after_its_call_began_is_claimed_in_doubt(
    make_ledger: Callable[..., DeliveryLedger],
) -> None:
    dead, heir = make_ledger(worker="dead", lease_seconds=0), make_ledger(worker="heir")
    (lost,) = (await dead.take_in(batch_of(reply()), free=FreeSlots(1))).claims
    await begin_calls(dead, lost)
    (inherited,) = await heir.claim(FreeSlots(1))
    assert (lost.in_doubt, inherited.in_doubt, inherited.tries) == (False, True, 2)
    assert inherited.delivery == lost.delivery
    assert await dead.claim(FreeSlots(1)) == ()


async def test_a_delivery_with_a_valid_lease_is_not_claimed(make_ledger: Callable[..., DeliveryLedger]) -> None:
    (claim,) = (await make_ledger(worker="busy").take_in(batch_of(reply()), free=FreeSlots(1))).claims
    assert await make_ledger(worker="other").claim(FreeSlots(1)) == ()
    assert claim.outlasts(30)


async def test_a_result_under_a_lost_claim_is_void_when_the_newer_claim_has_begun_its_call(
    make_ledger: Callable[..., DeliveryLedger],
) -> None:
    slow, heir = make_ledger(worker="slow", lease_seconds=0), make_ledger(worker="heir")
    (lost,) = (await slow.take_in(batch_of(reply()), free=FreeSlots(1))).claims
    await begin_calls(slow, lost)
    (inherited,) = await heir.claim(FreeSlots(1))
    await begin_calls(heir, inherited)
    assert await slow.write([settled(lost, MarkSent("first"))]) == set()
    assert await slow.renew(lost) is None
    assert await heir.write([settled(inherited, MarkSent("second"))]) == {inherited.key}
    assert [key for key, _ in await heir.unpublished(NONE, 10)] == [inherited.key] * 2


async def test_a_renewed_lease_is_valid(make_ledger: Callable[..., DeliveryLedger], engine: AsyncEngine) -> None:
    (claim,) = (await make_ledger(lease_seconds=0).take_in(batch_of(reply()), free=FreeSlots(1))).claims
    renewed = await make_ledger(lease_seconds=60).renew(claim)
    assert renewed is not None
    assert renewed.outlasts(30)
    assert await make_ledger(worker="other").claim(FreeSlots(1)) == ()


async def test_replies_to_one_recipient_are_sent_one_after_the_other_in_order(
    make_ledger: Callable[..., DeliveryLedger],
) -> None:
    ledger, order = make_ledger(), list[str]()
    ann, bob = "201000000001", "201000000002"
    asked = [reply("a1", ann), reply("a2", ann), reply("b1", bob), reply("a3", ann)]
    claims = (await ledger.take_in(batch_of(*asked), free=FreeSlots(10))).claims
    assert sorted(ids(claims)) == ["a1", "b1"]
    while claims:
        order += sorted(ids(claims))
        await ledger.write([settled(claim, MarkSent("wamid")) for claim in claims])
        claims = await ledger.claim(FreeSlots(10))
    assert order == ["a1", "b1", "a2", "a3"]


async def test_a_reply_waits_for_the_retry_of_the_reply_before_it(make_ledger: Callable[..., DeliveryLedger]) -> None:
    ledger = make_ledger()
    (first,) = (await ledger.take_in(batch_of(reply("m1"), reply("m2")), free=FreeSlots(10))).claims
    await ledger.write([FinishedClaim(first, RetryLater(timedelta(hours=1)))])
    assert await ledger.claim(FreeSlots(10)) == ()
    work = await ledger.due_work()
    assert work.due_now
    assert work.next_in_seconds == pytest.approx(3600, abs=60)


async def test_open_deliveries_to_one_recipient_do_not_wait_for_each_other(
    make_ledger: Callable[..., DeliveryLedger],
) -> None:
    taken = await make_ledger("open").take_in(batch_of(released("m1"), released("m2")), free=FreeSlots(10))
    assert sorted(ids(taken.claims)) == ["m1", "m2"]


async def test_a_retry_is_claimed_when_it_is_due_and_not_in_doubt(make_ledger: Callable[..., DeliveryLedger]) -> None:
    ledger = make_ledger()
    (first,) = (await ledger.take_in(batch_of(reply()), free=FreeSlots(1))).claims
    await ledger.write([FinishedClaim(first, RetryLater(NONE))])
    (second,) = await ledger.claim(FreeSlots(1))
    assert (second.tries, second.in_doubt) == (2, False)
    await ledger.write([FinishedClaim(second, RetryLater(timedelta(hours=1)))])
    assert await ledger.claim(FreeSlots(1)) == ()


async def test_a_delivery_left_in_doubt_is_claimed_in_doubt(make_ledger: Callable[..., DeliveryLedger]) -> None:
    ledger = make_ledger()
    (first,) = (await ledger.take_in(batch_of(reply()), free=FreeSlots(1))).claims
    await ledger.write([FinishedClaim(first, StillInDoubt(NONE))])
    assert [claim.in_doubt for claim in await ledger.claim(FreeSlots(1))] == [True]


async def test_the_lanes_do_not_see_each_other(make_ledger: Callable[..., DeliveryLedger]) -> None:
    await make_ledger("open").take_in(batch_of(released("m1")), free=FreeSlots(0))
    await make_ledger("reply").take_in(batch_of(reply("m2")), free=FreeSlots(0))
    assert ids(await make_ledger("reply").claim(FreeSlots(10))) == ["m2"]
    assert ids(await make_ledger("open").claim(FreeSlots(10))) == ["m1"]


async def test_after_a_crash_between_commit_and_publish_the_events_are_still_in_the_ledger(
    make_ledger: Callable[..., DeliveryLedger],
) -> None:
    ledger = make_ledger()
    (claim,) = (
        await ledger.take_in(batch_of(reply().model_copy(update={"traceparent": "00-a-b-01"})), free=FreeSlots(1))
    ).claims
    result = settled(claim, MarkSent("wamid"))
    assert isinstance(result.result, SettledClaim)
    await ledger.write([result])
    left_over = await make_ledger(worker="heir").unpublished(NONE, 10)
    assert {event.type: event for _, event in left_over} == {event.type: event for event in result.result.events}
    assert [event.traceparent for _, event in left_over] == ["00-a-b-01"] * 2
    await ledger.mark_published([claim.key])
    assert await ledger.unpublished(NONE, 10) == []


async def test_only_deliveries_settled_long_ago_are_deleted_and_in_batches(
    make_ledger: Callable[..., DeliveryLedger], engine: AsyncEngine
) -> None:
    ledger = make_ledger()
    asked = [reply(f"m{number}", f"20100000000{number}") for number in range(4)]
    claims = (await ledger.take_in(batch_of(*asked), free=FreeSlots(3))).claims
    await ledger.write([settled(claim, MarkSent("wamid")) for claim in claims])
    assert await forgetting(engine, timedelta(days=8)).delete_old(10) == 0
    assert [await forgetting(engine, NONE).delete_old(2) for _ in range(2)] == [2, 1]
    assert ids(await ledger.claim(FreeSlots(10))) == ["m3"]


async def test_a_settled_delivery_keeps_no_content(
    make_ledger: Callable[..., DeliveryLedger], engine: AsyncEngine
) -> None:
    ledger = make_ledger()
    (claim,) = (await ledger.take_in(batch_of(reply()), free=FreeSlots(1))).claims
    await ledger.write([settled(claim, MarkSent("wamid"))])
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT asked FROM sender.delivery")) is None
