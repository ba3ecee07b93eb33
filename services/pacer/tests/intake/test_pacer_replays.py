"""Replays at the pacer: what has an end is never held again, and a repeated record waits for no lock of a release."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from pacer.release.maintenance import QueueMaintenance
from pacer.testing import START, Pacer, assigned, package
from spreader.contract.events import DeliveryOutcome, DeliveryReleased, OpenOptions, Status

pytestmark = pytest.mark.postgres

HOUR = timedelta(hours=1)


def failed_by_router(delivery: DeliveryReleased) -> DeliveryOutcome:
    """The router found no other profile for a returned delivery."""
    return DeliveryOutcome(
        package_id=delivery.package_id,
        message_id=delivery.message_id,
        delivery_id=delivery.delivery_id,
        recipient=delivery.recipient,
        lane="open",
        status="failed",
        at=START,
        profile_id=delivery.profile_id,
        attempt=delivery.attempt,
        reason="no other profile can send it",
    )


async def release_one(pacer: Pacer) -> DeliveryReleased:
    pacer.configure(package())
    await pacer.hold(assigned(1, options=OpenOptions(expires_at=START + 5 * HOUR)))
    (released,) = await pacer.release()
    return released


async def test_a_returned_delivery_that_the_router_ended_is_not_held_again(pacer: Pacer) -> None:
    """Red before: it stayed `returned`, so a replay with new profiles sent it after its end."""
    released = await release_one(pacer)
    await pacer.report("deferred", released)
    assert await pacer.states() == {"returned": 1}
    await pacer.settle(failed_by_router(released))
    assert await pacer.hold(assigned(1, attempt=2)) == 0
    assert await pacer.states() == {"settled": 1}
    await pacer.relay()
    assert not pacer.bus.of(DeliveryOutcome)  # the router has published the end


async def test_an_end_by_the_router_that_overtakes_the_return_by_the_sender_counts_too(pacer: Pacer) -> None:
    released = await release_one(pacer)
    await pacer.settle(failed_by_router(released))
    await pacer.report("deferred", released)
    assert await pacer.hold(assigned(1, attempt=2)) == 0
    assert await pacer.states() == {"settled": 1}


async def test_an_end_of_an_older_attempt_changes_nothing(pacer: Pacer) -> None:
    released = await release_one(pacer)
    await pacer.report("deferred", released)
    assert await pacer.hold(assigned(1, attempt=2)) == 1
    await pacer.settle(failed_by_router(released))
    assert await pacer.states() == {"held": 1}


@pytest.mark.parametrize("end", ["sent", "failed", "unknown", "cancelled", "expired"])
async def test_a_delivery_with_an_end_is_not_held_again_whatever_its_end_is(pacer: Pacer, end: Status) -> None:
    """Red before: a later attempt, chosen in a replay, was held and sent."""
    released = await release_one(pacer)
    if end == "cancelled":
        await pacer.report("deferred", released, not_before=START + HOUR)
        await pacer.cancel("msg_1")
    elif end == "expired":
        await pacer.report("deferred", released, not_before=START + HOUR)
        pacer.now += 6 * HOUR
        await QueueMaintenance(pacer.engine, pacer.clock, lambda: None).expire()
    else:
        await pacer.report(end, released)
    states = await pacer.states()
    assert await pacer.hold(assigned(1, attempt=2)) == 0
    assert await pacer.states() == states


async def test_a_repeated_record_waits_for_no_delivery_that_a_release_pass_has_locked(pacer: Pacer) -> None:
    """Red before: it locked the deliveries that it did not change, in another order than the pass: a deadlock."""
    await pacer.hold(assigned(3))
    async with pacer.engine.begin() as release_pass:
        await release_pass.execute(text("SELECT FROM pacer.delivery FOR UPDATE"))
        async with asyncio.timeout(10):
            assert await pacer.hold(assigned(3)) == 0


async def test_a_repeated_outcome_waits_for_no_delivery_that_is_held_again(pacer: Pacer) -> None:
    released = await release_one(pacer)
    await pacer.report("deferred", released, not_before=START + HOUR)
    async with pacer.engine.begin() as release_pass:
        await release_pass.execute(text("SELECT FROM pacer.delivery FOR UPDATE"))
        async with asyncio.timeout(10):
            await pacer.report("deferred", released, not_before=START + HOUR)
    assert await pacer.states() == {"held": 1}
