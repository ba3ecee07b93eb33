"""Erasures in the pacer, on a real Postgres: held deliveries are cancelled, and limits still hold for the number."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from local.testbed.sql_search import tables_with
from pacer.intake.consent_enforcer import ConsentEnforcer
from pacer.sql.erasures import CANCELLED_BY_ERASURE, REMOVALS, WAITS
from pacer.testing import START, Pacer, assigned, package, received
from pacer.views.recipient_habits import RecipientHabits
from spreader.contract.configuration import ProfileLimits
from spreader.contract.events import ConsentChanged, ConsentKind, DeliveryOutcome, ErasureReported, RecipientErased
from spreader.contract.ids import ERASED
from spreader.erasure.eraser import Eraser, report_to
from spreader.erasure.postgres import ErasureTable
from spreader.testing import FakeProgress, NoDeduplication

pytestmark = pytest.mark.postgres

ONE, TWO = "201100000000", "201100000001"
WIDE = ProfileLimits(per_hour=1000, per_3_hours=3000, per_day=20000, per_recipient_per_day=2)
MINUTE = timedelta(minutes=1)


def eraser_of(pacer: Pacer) -> Eraser:
    table = ErasureTable("pacer")
    return Eraser(pacer.engine, table, lambda: pacer.now, REMOVALS, report_to(pacer.bus), WAITS)


async def work(pacer: Pacer) -> None:
    async with pacer.engine.begin() as connection:
        await connection.execute(text("UPDATE pacer.erasure SET look_at = now()"))
    for _ in range(5):
        await eraser_of(pacer).run_once()
    await pacer.relay()


async def erase(pacer: Pacer, recipient: str = ONE, keep: bool = True) -> None:
    name = f"ers_{len(pacer.bus.published)}"
    event = RecipientErased(erasure_id=name, recipient=recipient, keep_suppression=keep, at=pacer.now)
    await eraser_of(pacer).on_erased(received(event))
    await work(pacer)


async def traces(pacer: Pacer, number: str = ONE) -> set[str]:
    async with pacer.engine.connect() as connection:
        return await tables_with(connection, number, "pacer")


async def everywhere(pacer: Pacer) -> None:
    """Give every table of the pacer that has numbers a row of ONE."""
    pacer.config.configure(package(limits=WIDE))
    await pacer.hold(assigned(1))
    (released,) = await pacer.release()
    await pacer.report("sent", released)
    await pacer.settle(DeliveryOutcome.model_validate({**outcome_of(released), "status": "read"}))
    await pacer.hold(assigned(2, "msg_2"))
    enforcer = ConsentEnforcer(pacer.engine, pacer.config, FakeProgress(), lambda: None)
    lists: list[tuple[str, ConsentKind, bool]] = [
        ("one", "opt_in", True), ("two", "suppression", True), ("three", "opt_in", False)
    ]  # fmt: skip
    changes = [
        ConsentChanged(package_id=package_id, recipient=ONE, kind=kind, listed=listed, source="api", at=START)
        for package_id, kind, listed in lists
    ]
    await enforcer.apply(NoDeduplication(), received(*changes))


def outcome_of(released: Any) -> dict[str, Any]:
    fields = released.model_dump(
        include={"package_id", "message_id", "delivery_id", "recipient", "profile_id", "attempt"}
    )
    return {**fields, "lane": "open", "at": START}


async def test_held_deliveries_are_cancelled_and_the_number_is_in_no_table(pacer: Pacer) -> None:
    await everywhere(pacer)
    expected = {"delivery", "contact", "release", "habit", "consent", "consent_removal"}
    assert await traces(pacer) == {f"pacer.{table}" for table in expected}
    await erase(pacer, keep=False)
    assert await traces(pacer) == set()
    cancelled = [each for each in pacer.bus.of(DeliveryOutcome) if each.status == "cancelled"]
    assert [(each.message_id, each.recipient, each.reason) for each in cancelled] == [
        ("msg_2", ERASED, CANCELLED_BY_ERASURE)
    ]
    (report,) = pacer.bus.of(ErasureReported)
    assert report.rows == {
        "pacer.delivery": 2, "pacer.contact": 1, "pacer.release": 1, "pacer.habit": 1, "pacer.consent": 2,
        "pacer.consent_removal": 1,
    }  # fmt: skip
    assert await pacer.states() == {"settled": 1, "cancelled": 1, "held": 1}
    pacer.now += timedelta(hours=2)
    assert [each.recipient for each in await pacer.release()] == [TWO]


async def test_a_kept_suppression_is_the_only_trace(pacer: Pacer) -> None:
    await everywhere(pacer)
    await erase(pacer)
    assert await traces(pacer) == {"pacer.consent"}


async def test_a_release_at_the_gateway_is_waited_for(pacer: Pacer) -> None:
    pacer.config.configure(package(limits=WIDE))
    await pacer.hold(assigned(1))
    (released,) = await pacer.release()
    await erase(pacer)
    assert (pacer.bus.of(ErasureReported), await traces(pacer) >= {"pacer.delivery"}) == ([], True)
    await pacer.report("sent", released)
    await work(pacer)
    assert (len(pacer.bus.of(ErasureReported)), await traces(pacer)) == (1, set())


async def test_what_was_requested_before_and_is_read_later_leaves_no_trace(pacer: Pacer) -> None:
    """Also in a replay, after the erasure has ended."""
    pacer.config.configure(package(limits=WIDE))
    await erase(pacer)
    await pacer.hold(assigned(2))
    await pacer.receive_message(ONE)
    released = {"message_id": "chosen", "delivery_id": "d", "package_id": "one", "recipient": ONE, "profile_id": "p0"}
    await pacer.settle(DeliveryOutcome.model_validate({**released, "lane": "open", "at": START, "status": "read"}))
    await pacer.relay()
    assert await traces(pacer) == set()
    assert [(each.recipient, each.status) for each in pacer.bus.of(DeliveryOutcome)] == [(ERASED, "cancelled")]
    assert [each.recipient for each in await pacer.release()] == [TWO]


async def test_a_new_message_waits_until_the_limit_of_the_number_has_room_again(pacer: Pacer) -> None:
    pacer.config.configure(package(limits=WIDE.model_copy(update={"per_recipient_per_day": 1})))
    await pacer.hold(assigned(1))
    (released,) = await pacer.release()
    await pacer.report("sent", released)
    sent_at = pacer.now
    pacer.now += MINUTE
    await erase(pacer)
    pacer.now += MINUTE
    later = assigned(2, "msg_2").model_copy(update={"requested_at": pacer.now})
    await pacer.hold(later)
    at: dict[str, Any] = {}
    while len(at) < 2 and pacer.now < sent_at + timedelta(days=3):
        for each in await pacer.release():
            at[each.recipient] = pacer.now
            await pacer.report("sent", each)
        pacer.now += timedelta(minutes=30)
    assert at[TWO] < sent_at + timedelta(hours=2)
    assert sent_at + timedelta(hours=24) <= at[ONE] < sent_at + timedelta(hours=26)


async def test_a_contact_that_has_not_answered_still_counts_against_the_limit(pacer: Pacer) -> None:
    pacer.config.configure(package(limits=WIDE.model_copy(update={"unanswered_per_30_days": 1})))
    await pacer.hold(assigned(1))
    (released,) = await pacer.release()
    await pacer.report("sent", released)
    pacer.now += MINUTE
    await erase(pacer)
    assert await traces(pacer) == set()
    await pacer.hold(assigned(1, "msg_2", first=1))
    pacer.now += timedelta(days=20)
    assert await pacer.release() == []


async def test_a_message_that_is_requested_and_sent_during_an_erasure_still_counts_for_the_number(pacer: Pacer) -> None:
    pacer.config.configure(package(limits=WIDE.model_copy(update={"per_recipient_per_day": 1})))
    event = RecipientErased(erasure_id="ers_1", recipient=ONE, keep_suppression=True, at=pacer.now)
    await eraser_of(pacer).on_erased(received(event))
    pacer.now += MINUTE
    for message_id in ("msg_1", "msg_2"):
        await pacer.hold(assigned(1, message_id).model_copy(update={"requested_at": pacer.now}))
    (released,) = await pacer.release()
    await pacer.report("sent", released)
    await work(pacer)
    assert (await pacer.release(), await traces(pacer) >= {"pacer.release"}) == ([], True)


async def test_contacts_under_each_form_of_the_number_still_count(pacer: Pacer) -> None:
    old, new = "558299448232", "5582999448232"
    async with pacer.engine.begin() as connection:
        await connection.execute(
            text(f"""
INSERT INTO pacer.contact (profile_id, recipient, unanswered) VALUES ('p0', '{old}', true), ('p0', '{new}', true)""")
        )
    await erase(pacer, old)
    assert await traces(pacer, old) | await traces(pacer, new) == set()
    async with pacer.engine.connect() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM pacer.contact WHERE unanswered"))).scalar() == 2


async def test_what_the_person_does_after_the_erasure_begins_afresh(pacer: Pacer) -> None:
    await erase(pacer)
    pacer.now += MINUTE
    await pacer.receive_message(ONE)
    assert await traces(pacer) == {"pacer.contact", "pacer.habit"}
    await work(pacer)
    (reading,) = await RecipientHabits(pacer.engine).describe(ONE)
    assert (reading.package_id, sum(reading.hours.values()), reading.timezone) == ("one", 1, "Africa/Cairo")
    assert await RecipientHabits(pacer.engine).describe(TWO) == []
