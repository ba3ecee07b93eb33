"""Deferral: a delivery is held for a day on the same profile without blocking others, and tried once more."""

import asyncio
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from pacer.release.maintenance import QueueMaintenance
from pacer.sql import stops
from pacer.testing import START, Pacer, assigned, package
from spreader.contract.events import DeliveryOutcome, DeliveryReturned, OpenOptions
from spreader.runtime.rows import arrays

pytestmark = pytest.mark.postgres

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


async def test_a_deferred_delivery_waits_on_the_same_profile_without_blocking_others(pacer: Pacer) -> None:
    pacer.config.configure(package(profiles=2))
    await pacer.hold(assigned(3, profile="p0"))
    (first,) = await pacer.release()
    await pacer.report("deferred", first, not_before=START + DAY)
    gone: list[tuple[str, str]] = []
    for _ in range(24):
        pacer.now += timedelta(hours=1) - MINUTE / 24
        released = await pacer.release()
        await pacer.report("sent", *released)
        gone += [(each.recipient, each.profile_id) for each in released]
    assert gone == [("201100000001", "p0"), ("201100000002", "p0")]
    pacer.now = START + DAY + MINUTE
    (again,) = await pacer.release()
    assert (again.delivery_id, again.profile_id, again.attempt) == (first.delivery_id, "p0", 1)
    assert again.release > first.release
    assert pacer.bus.of(DeliveryReturned) == []


async def test_a_deferral_stays_in_force_on_another_profile(pacer: Pacer) -> None:
    """The recipient takes no more messages today, from any profile."""
    pacer.config.configure(package(profiles=2))
    await pacer.hold(assigned(1, profile="p0"))
    await pacer.report("deferred", *await pacer.release(), not_before=START + DAY)
    pacer.now += timedelta(hours=2)
    assert await pacer.hold(assigned(1, profile="p1", attempt=2)) == 1
    assert await pacer.release() == []
    pacer.now = START + DAY + MINUTE
    (again,) = await pacer.release()
    assert (again.profile_id, again.attempt) == ("p1", 2)


@pytest.mark.parametrize("not_before", [START, START + DAY])
async def test_a_delivery_cancelled_while_it_was_released_is_not_released_again_after_a_deferral(
    pacer: Pacer, not_before: datetime
) -> None:
    await pacer.hold(assigned(1), assigned(1, "msg_2"))
    first = await pacer.release()
    await pacer.cancel("msg_1")
    await pacer.report("deferred", *first, not_before=not_before)
    await pacer.relay()
    assert [event.reason for event in pacer.bus.of(DeliveryOutcome)] == ["cancelled by the caller"]
    pacer.now = START + DAY + MINUTE
    assert {release.message_id for release in await pacer.release()} == {"msg_2"}
    assert await pacer.states() == {"cancelled": 1, "released": 1}


async def test_a_cancelled_delivery_that_was_returned_does_not_come_back_on_another_profile(pacer: Pacer) -> None:
    pacer.config.configure(package(profiles=2))
    await pacer.hold(assigned(1, profile="p0"))
    released = await pacer.release()
    await pacer.report("deferred", *released)  # without a time: the router assigns it again
    await pacer.cancel("msg_1")
    await pacer.hold(assigned(1, profile="p1", attempt=2))
    assert await pacer.release() == []
    assert await pacer.states() == {"cancelled": 1}


async def test_a_cancel_and_a_deferral_at_the_same_time_hold_nothing_back(pacer: Pacer) -> None:
    """The cancel is not committed yet when the deferral is settled."""
    await pacer.hold(assigned(1))
    released = await pacer.release()
    async with pacer.engine.begin() as connection:
        await connection.execute(stops.STOPS_LOCK)
        settling = asyncio.create_task(pacer.report("deferred", *released, not_before=START))
        await until_a_session_waits(pacer.engine)
        params = arrays(stops.Cancellation, [stops.Cancellation("msg_1", START)])
        await connection.execute(stops.CANCELLATION_INSERT, params)
    await settling
    assert await pacer.states() == {"cancelled": 1}


async def until_a_session_waits(engine: AsyncEngine) -> None:
    """Waits until a session waits for an advisory lock."""
    waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    async with asyncio.timeout(30), engine.connect() as connection:
        while not await connection.scalar(waiting):
            await connection.rollback()


async def age(pacer: Pacer, *tables: str) -> None:
    """Nine days pass for what these tables contain, by the machine's clock."""
    columns = {"delivery": "changed_at", "cancellation": "noted_at"}
    async with pacer.engine.begin() as connection:
        for table in tables:
            await connection.execute(
                text(f"UPDATE pacer.{table} SET {columns[table]} = {columns[table]} - interval '13 days'")
            )


async def test_a_cancellation_is_kept_for_as_long_as_one_of_its_deliveries_may_come_back(pacer: Pacer) -> None:
    """The sender was away for nine days, and then the gateway deferred the delivery."""
    retention = QueueMaintenance(pacer.engine, pacer.clock, lambda: None).retention()
    await pacer.hold(assigned(1))
    released = await pacer.release()
    await pacer.cancel("msg_1")
    await age(pacer, "delivery", "cancellation")
    assert await retention.delete_old(10) == 0
    await pacer.report("deferred", *released, not_before=START)
    await pacer.relay()
    assert await pacer.states() == {"cancelled": 1}
    await age(pacer, "delivery")
    assert await retention.delete_old(10) == 1
    async with pacer.engine.connect() as connection:
        left = await connection.scalar(
            text("SELECT (SELECT count(*) FROM pacer.delivery) + (SELECT count(*) FROM pacer.cancellation)")
        )
    assert left == 0


async def test_old_cancellations_are_deleted_in_pieces_and_never_before_they_have_ended_what_is_held(
    pacer: Pacer,
) -> None:
    retention = QueueMaintenance(pacer.engine, pacer.clock, lambda: None).retention()
    names = [f"msg_{number}" for number in range(5)]
    async with pacer.engine.begin() as connection:
        params = arrays(stops.Cancellation, [stops.Cancellation(name, START) for name in names])
        await connection.execute(stops.CANCELLATION_INSERT, params)
    await age(pacer, "cancellation")
    assert await retention.delete_old(2) == 0
    await pacer.end_stopped()
    assert [await retention.delete_old(2) for _ in range(4)] == [2, 2, 1, 0]


async def test_the_outcome_of_a_delivery_that_the_sender_cancelled_settles_its_release(pacer: Pacer) -> None:
    pacer.config.configure(package(concurrent=1))
    await pacer.hold(assigned(1), assigned(1, "msg_2"))
    (first,) = await pacer.release()
    await pacer.cancel("msg_1")
    await pacer.report("cancelled", first)
    pacer.now += timedelta(hours=1)
    assert [release.message_id for release in await pacer.release()] == ["msg_2"]


async def test_no_change_of_the_package_brings_a_deferral_forward(pacer: Pacer) -> None:
    await pacer.hold(assigned(1))
    await pacer.report("deferred", *await pacer.release(), not_before=START + DAY)
    pacer.now += timedelta(hours=2)
    pacer.configure(package())
    await pacer.release_loop.run_pass()
    assert await pacer.states() == {"held": 1}


async def test_a_second_deferral_is_the_last(pacer: Pacer) -> None:
    await pacer.hold(assigned(1))
    await pacer.report("deferred", *await pacer.release(), not_before=START + DAY)
    pacer.now = START + DAY + MINUTE
    await pacer.report("deferred", *await pacer.release(), not_before=pacer.now + DAY)
    await pacer.relay()
    assert [each.status for each in pacer.bus.of(DeliveryOutcome)] == ["expired"]


async def test_a_message_that_expires_sooner_is_not_tried_again(pacer: Pacer) -> None:
    await pacer.hold(assigned(1, options=OpenOptions(expires_at=START + DAY / 2)))
    await pacer.report("deferred", *await pacer.release(), not_before=START + DAY)
    pacer.now = START + DAY / 2
    await QueueMaintenance(pacer.engine, pacer.clock, lambda: None).expire()
    await pacer.relay()
    assert [each.status for each in pacer.bus.of(DeliveryOutcome)] == ["expired"]
