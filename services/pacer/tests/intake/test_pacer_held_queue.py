"""Held queue, on a real Postgres: the order in which an intake locks rows, and what a crash in it leaves."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from pacer.release.maintenance import QueueMaintenance
from pacer.testing import START, Pacer, assigned, package
from spreader.clock import wall_now
from spreader.contract.age import OLDEST, REFUSED
from spreader.contract.events import DeliveryOutcome

pytestmark = pytest.mark.postgres

PASS_LOCKS = text("SELECT profile_id FROM pacer.profile ORDER BY profile_id FOR UPDATE")
PASS_WRITES = text("UPDATE pacer.delivery SET not_before = not_before")
WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")


async def test_an_intake_and_a_release_pass_do_not_deadlock(pacer: Pacer) -> None:
    """Fails if one transaction of the intake locks a delivery and then its profile: a pass locks them the other way
    round."""
    await pacer.hold(assigned(1))
    async with pacer.engine.begin() as release_pass:
        await release_pass.execute(PASS_LOCKS)
        intake = asyncio.create_task(pacer.hold(assigned(1, attempt=2)))
        await _until_waiting(pacer.engine)
        await release_pass.execute(PASS_WRITES)
    assert await intake == 1


async def test_a_batch_that_was_stored_before_a_crash_wakes_its_profiles_when_it_is_read_again(pacer: Pacer) -> None:
    await pacer.hold(assigned(1))
    await _forget_to_wake(pacer.engine)
    assert await pacer.release() == []
    assert await pacer.hold(assigned(1)) == 0
    assert len(await pacer.release()) == 1


async def test_an_older_assignment_that_is_read_again_does_not_move_the_profile_to_its_package(pacer: Pacer) -> None:
    pacer.config.configure(package().model_copy(update={"package_id": "another"}))
    event = assigned(1).model_copy(update={"package_id": "another", "assigned_at": START + timedelta(minutes=1)})
    old = assigned(1, "msg_0").model_copy(update={"assigned_at": START})
    await pacer.hold(old, event)
    await pacer.hold(old)
    async with pacer.engine.connect() as connection:
        package_ids = (await connection.execute(text("SELECT package_id FROM pacer.profile"))).scalars().all()
    assert package_ids == ["another"]


async def test_an_assignment_that_is_older_than_what_is_remembered_ends_with_the_reason(pacer: Pacer) -> None:
    old, still_read = (wall_now() - OLDEST + timedelta(hours=late) for late in (-1, 1))
    await pacer.hold(assigned(2, "msg_old").model_copy(update={"written_at": old}))
    await pacer.hold(assigned(2, "msg_read").model_copy(update={"written_at": still_read}))
    assert await pacer.states() == {"expired": 2, "held": 2}
    await pacer.relay()
    outcomes = pacer.bus.of(DeliveryOutcome)
    assert [(each.message_id, each.status, each.reason) for each in outcomes] == [("msg_old", "expired", REFUSED)] * 2


async def test_an_old_assignment_that_is_remembered_changes_nothing(pacer: Pacer) -> None:
    await pacer.hold(assigned(2))
    assert await pacer.hold(assigned(2).model_copy(update={"written_at": wall_now() - 2 * OLDEST})) == 0
    assert await pacer.states() == {"held": 2}


async def test_what_has_ended_is_remembered_for_longer_than_its_request_can_be_read(pacer: Pacer) -> None:
    for message_id, days in (("msg_kept", 11), ("msg_gone", 13)):
        await pacer.hold(assigned(1, message_id))
        await pacer.cancel(message_id)
        await pacer.relay()
        async with pacer.engine.begin() as connection:
            aged = text(
                "UPDATE pacer.delivery SET changed_at = now() - make_interval(days => :days) WHERE message_id = :id"
            )
            await connection.execute(aged, {"days": days, "id": message_id})
    await QueueMaintenance(pacer.engine, pacer.clock, lambda: None).retention().delete_old(100)
    async with pacer.engine.connect() as connection:
        kept = (await connection.execute(text("SELECT message_id FROM pacer.delivery"))).scalars().all()
    assert kept == ["msg_kept"]


async def _until_waiting(engine: AsyncEngine) -> None:
    async with asyncio.timeout(20), engine.connect() as connection:
        while not (await connection.execute(WAITING)).scalar_one():
            await connection.rollback()
            await asyncio.sleep(0.01)


async def _forget_to_wake(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE pacer.profile SET look_at = 'infinity'"))
