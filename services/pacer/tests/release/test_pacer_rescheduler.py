"""Rescheduler and locks: release passes while records and settings arrive."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from pacer.core.recipient_hours import recipient_rules
from pacer.release.facts import lock_packages
from pacer.release.loop import IDLE_SECONDS_MAX, idle_seconds
from pacer.release.rescheduler import Rescheduler
from pacer.sql import contacts
from pacer.sql import release as sql
from pacer.testing import START, Pacer, assigned, package
from spreader.clock import Clock
from spreader.contract.configuration import ProfileLimits, QuietHours
from spreader.contract.events import OpenOptions
from spreader.runtime.rows import arrays

pytestmark = pytest.mark.postgres

WIDE = ProfileLimits(per_hour=3600, per_3_hours=9000, per_day=20_000)
LOOK = "SELECT look_at <= :now FROM pacer.profile WHERE profile_id = :profile_id"
BLOCKED = """
SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"""


async def test_a_settlement_during_a_pass_wakes_the_profiles_that_wait_for_it(pacer: Pacer) -> None:
    """Fails if a settlement wakes only the profiles that are marked as waiting when it is written."""
    pacer.config.configure(package(profiles=2, limits=WIDE, concurrent=1))
    await pacer.hold(assigned(2, profiles=2))
    (first,) = await pacer.release()
    (other,) = {"p0", "p1"} - {first.profile_id}
    async with pacer.engine.begin() as release_pass:
        await lock_packages(release_pass, {"one"})  # it has counted the one that is at the gateway
        answering = asyncio.create_task(pacer.report("sent", first))
        await until(pacer.engine, "SELECT bool_and(effective_at < 'infinity') FROM pacer.release")
        waits = arrays(sql.NextLook, [sql.NextLook(other, START + timedelta(minutes=5), awaits_answer=True)])
        await release_pass.execute(sql.PROFILE_LOOKED, waits)
    await answering
    async with pacer.engine.connect() as connection:
        assert (await connection.execute(text(LOOK), {"profile_id": other, "now": START})).scalar_one()
    assert [each.profile_id for each in await pacer.release()] == [other]


async def test_a_customers_message_during_a_pass_does_not_deadlock_with_it(pacer: Pacer) -> None:
    """Fails with a deadlock if a customer's message locks the contact before the profile."""
    await pacer.hold(assigned(1))
    (delivery,) = assigned(1).deliveries
    async with pacer.engine.begin() as release_pass:
        await release_pass.execute(sql.DUE, {"now": START, "profiles": 1})
        await release_pass.execute(text("UPDATE pacer.delivery SET state = 'released' WHERE state = 'held'"))
        hearing = asyncio.create_task(pacer.receive_message(delivery.recipient))
        await until(pacer.engine, BLOCKED)
        released = [contacts.ContactRelease("p0", delivery.person, cold=True)]
        params = {**arrays(contacts.ContactRelease, released), "now": START}
        await release_pass.execute(contacts.CONTACT_RELEASED, params)
    await hearing


async def test_a_setting_comes_into_force_after_the_database_was_unavailable(pacer: Pacer) -> None:
    pacer.configure(package().model_copy(update={"paused": True}))
    await pacer.hold(assigned(1))
    assert await pacer.release() == []
    pacer.configure(package())
    pacer.rescheduler.engine = create_async_engine("postgresql+asyncpg://127.0.0.1:1/nowhere")
    with pytest.raises(ConnectionRefusedError):
        await pacer.rescheduler.write(pacer.clock)
    pacer.rescheduler.engine = pacer.engine
    assert len(await pacer.release()) == 1


async def test_parked_deliveries_come_back_only_when_recipient_rules_change(pacer: Pacer) -> None:
    quiet = package(limits=WIDE).model_copy(update={"recipient_quiet_hours": QuietHours(hours=12)})
    pacer.now = START.replace(hour=20)  # 22:00 in Cairo
    pacer.configure(quiet)
    await pacer.hold(assigned(3))
    assert await pacer.release() == []
    for same in (quiet.model_copy(update={"version": 2}), quiet.model_copy(update={"name": "Two"})):
        pacer.configure(same)
        await pacer.rescheduler.write(pacer.clock)
        assert await put_off(pacer.engine) == 3
    again = Rescheduler(pacer.engine)  # as after a start
    again.on_configured("one", quiet)
    await again.write(pacer.clock)
    assert await put_off(pacer.engine) == 3
    pacer.configure(package(limits=WIDE))
    await pacer.rescheduler.write(pacer.clock)
    assert await put_off(pacer.engine) == 0


async def test_parked_deliveries_come_back_when_rules_changed_while_no_pacer_ran(
    pacer: Pacer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails if the new rules are stored before all deliveries are back: a pacer may crash in between."""
    monkeypatch.setattr("pacer.release.rescheduler.ROWS_MAX", 2)
    pacer.now = START.replace(hour=20)  # 22:00 in Cairo
    pacer.configure(package(limits=WIDE).model_copy(update={"recipient_quiet_hours": QuietHours(hours=12)}))
    await pacer.hold(assigned(3))
    assert await pacer.release() == []
    assert await put_off(pacer.engine) == 3
    for left in (1, 0):
        fresh = Rescheduler(pacer.engine)
        fresh.on_configured("one", package(limits=WIDE))
        await fresh.write(pacer.clock)
        assert await put_off(pacer.engine) == left


async def test_each_pacer_brings_back_the_deliveries_that_it_parked(pacer: Pacer) -> None:
    """Fails if a pacer that reads new rules late only compares them with the rules that another has stored."""
    quiet = package(limits=WIDE).model_copy(update={"recipient_quiet_hours": QuietHours(hours=12)})
    pacer.now = START.replace(hour=20)  # 22:00 in Cairo
    other = Rescheduler(pacer.engine)
    for rescheduler in (pacer.rescheduler, other):
        rescheduler.on_configured("one", quiet)
        await rescheduler.write(pacer.clock)
    other.on_configured("one", package(limits=WIDE))
    await other.write(pacer.clock)
    pacer.config.configure(quiet)
    await pacer.hold(assigned(3))
    assert await pacer.release() == []
    assert await put_off(pacer.engine) == 3
    pacer.configure(package(limits=WIDE))
    await pacer.rescheduler.write(pacer.clock)
    assert await put_off(pacer.engine) == 0


@pytest.mark.parametrize("is_gone", [False, True])
async def test_a_change_while_deliveries_come_back_is_not_lost(pacer: Pacer, is_gone: bool) -> None:
    """Fails if finishing one change clears a later one."""
    quiet = package(limits=WIDE).model_copy(update={"recipient_quiet_hours": QuietHours(hours=12)})
    quieter = package(limits=WIDE).model_copy(update={"recipient_quiet_hours": QuietHours(hours=13)})
    pacer.rescheduler.on_configured("one", package(limits=WIDE))
    await pacer.rescheduler.write(pacer.clock)
    pacer.rescheduler.on_configured("one", quiet)
    with listening(pacer.engine, lambda: pacer.rescheduler.on_configured("one", None if is_gone else quieter)):
        await pacer.rescheduler.write(pacer.clock)
    assert await kept_rules(pacer.engine) == str(recipient_rules(quiet))
    await pacer.rescheduler.write(pacer.clock)
    assert await kept_rules(pacer.engine) == str(recipient_rules(quiet if is_gone else quieter))


@contextmanager
def listening(engine: AsyncEngine, meddle: Callable[[], None]) -> Generator[None]:
    """Call `meddle` when deliveries are brought back."""

    def on_statement(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if "put_off_by = NULL" in statement:
            meddle()

    event.listen(engine.sync_engine, "before_cursor_execute", on_statement)
    try:
        yield
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", on_statement)


async def test_the_drawn_position_is_kept_until_the_next_release(pacer: Pacer) -> None:
    await pacer.hold(assigned(2))
    (first,) = await pacer.release()
    drawn = await position(pacer.engine)
    await pacer.report("sent", first)
    await pacer.hold(assigned(15, message_id="msg_2"))  # a rush begins
    assert await pacer.release() == []
    pacer.configure(package(limits=ProfileLimits(per_hour=10)))
    assert await pacer.release() == []
    assert await position(pacer.engine) == drawn
    pacer.configure(package(limits=WIDE))
    pacer.now += timedelta(hours=2)
    assert len(await pacer.release()) == 1
    assert await position(pacer.engine) != drawn


async def test_an_immediate_delivery_goes_before_those_that_wait(pacer: Pacer) -> None:
    await pacer.hold(assigned(3))
    quick = assigned(1, message_id="msg_quick", options=OpenOptions(waiting_strategy="immediate"))
    await pacer.hold(quick)
    assert [each.message_id for each in await pacer.release()] == ["msg_quick"]


async def test_a_paused_profile_keeps_its_queue_and_goes_on_when_resumed(pacer: Pacer) -> None:
    working = package(profiles=2)
    (one, other) = working.profiles
    pacer.configure(working.model_copy(update={"profiles": (one.model_copy(update={"paused": True}), other)}))
    await pacer.hold(assigned(2, profiles=2))
    assert [each.profile_id for each in await pacer.release()] == ["p1"]
    pacer.configure(working)
    assert [each.profile_id for each in await pacer.release()] == ["p0"]


async def until(engine: AsyncEngine, question: str) -> None:
    async with asyncio.timeout(20):
        while not await _answer(engine, question):
            await asyncio.sleep(0.01)


async def _answer(engine: AsyncEngine, question: str) -> bool:
    async with engine.connect() as connection:
        return bool((await connection.execute(text(question))).scalar_one())


async def kept_rules(engine: AsyncEngine) -> str:
    async with engine.connect() as connection:
        return (await connection.execute(text("SELECT recipient_rules FROM pacer.package"))).scalar_one()


async def put_off(engine: AsyncEngine) -> float:
    return await _scalar(engine, "SELECT count(*) FROM pacer.delivery WHERE put_off_by IS NOT NULL")


async def position(engine: AsyncEngine) -> float:
    return await _scalar(engine, "SELECT position FROM pacer.profile")


async def _scalar(engine: AsyncEngine, question: str) -> float:
    async with engine.connect() as connection:
        return (await connection.execute(text(question))).scalar_one()


@pytest.mark.parametrize(
    ("next_look", "taken", "seconds"),
    [
        (timedelta(seconds=180), 0.1, 0.2),  # at 600 times as fast it is 0.3 s off
        (timedelta(seconds=180), 0.4, 0.001),
        (timedelta(hours=1), 0.1, IDLE_SECONDS_MAX),
        (None, 0.1, IDLE_SECONDS_MAX),
    ],
)
def test_the_pause_of_the_loop_excludes_the_time_that_the_pass_took(
    next_look: timedelta | None, taken: float, seconds: float
) -> None:
    moment = None if next_look is None else START + next_look
    assert idle_seconds(Clock(600), START, moment, taken) == pytest.approx(seconds)
