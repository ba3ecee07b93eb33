"""Contacts, on a real Postgres: cold contacts, the unanswered budget, recipient limits and quiet hours."""

from datetime import UTC, datetime, time, timedelta

import pytest
from sqlalchemy import text

from pacer.intake.new_numbers import NewNumbers
from pacer.release.maintenance import QueueMaintenance
from pacer.testing import START, Pacer, assigned, members, package
from spreader.contract.configuration import ProfileLimits, QuietHours, RestWindow
from spreader.contract.events import DeliveryOutcome, DeliveryReleased, OpenOptions
from spreader.erasure.postgres import ErasureTable
from spreader.phone.canonical import person_key

pytestmark = pytest.mark.postgres

WIDE = ProfileLimits(per_hour=1000, per_3_hours=3000, per_day=20000, per_recipient_per_day=None)
DAY = timedelta(days=1)


def limits(**given: int | None) -> ProfileLimits:
    return WIDE.model_copy(update=given)


async def released_over(pacer: Pacer, span: timedelta, step: timedelta) -> list[DeliveryReleased]:
    """The releases within a span, each settled at once."""
    released: list[DeliveryReleased] = []
    until = pacer.now + span
    while pacer.now < until:
        fresh = await pacer.release()
        await pacer.report("sent", *fresh)
        released += fresh
        pacer.now += step
    return released


async def test_new_contacts_are_limited_and_known_ones_overtake_them(pacer: Pacer) -> None:
    pacer.config.configure(package(limits=limits(new_contacts_per_day=2)))
    await pacer.receive_message("201100000004")  # this one wrote to us: no new contact
    await pacer.hold(assigned(6))
    first_day = await released_over(pacer, timedelta(hours=20), timedelta(minutes=10))
    assert {each.recipient for each in first_day} == {"201100000000", "201100000001", "201100000004"}
    second_day = await released_over(pacer, DAY, timedelta(minutes=10))
    assert [each.recipient for each in second_day] == ["201100000002", "201100000003"]


async def test_a_customers_message_makes_a_held_delivery_warm(pacer: Pacer) -> None:
    pacer.config.configure(package(limits=limits(new_contacts_per_day=1)))
    await pacer.hold(assigned(3))
    await released_over(pacer, timedelta(hours=2), timedelta(minutes=10))
    await pacer.receive_message("201100000002")
    later = await released_over(pacer, timedelta(hours=2), timedelta(minutes=10))
    assert [each.recipient for each in later] == ["201100000002"]


async def follow(pacer: Pacer, old: str, new: str) -> bool:
    """A customer changes the number."""
    numbers = NewNumbers(pacer.engine, pacer.config, pacer.clock, ErasureTable("pacer"))
    return await numbers.follow("one", person_key(old), person_key(new), pacer.now)


async def test_a_contact_stays_warm_under_the_new_number(pacer: Pacer) -> None:
    pacer.config.configure(package(limits=limits(new_contacts_per_day=1)))
    await pacer.receive_message("201100000009")
    await pacer.hold(assigned(3))
    await released_over(pacer, timedelta(hours=2), timedelta(minutes=10))
    for _ in range(2):  # the gateway repeats its report
        assert await follow(pacer, "201100000009", "201100000002")
    later = await released_over(pacer, timedelta(hours=2), timedelta(minutes=10))
    assert [each.recipient for each in later] == ["201100000002"]


async def test_a_person_without_an_answer_stays_one_contact_under_the_new_number(pacer: Pacer) -> None:
    pacer.config.configure(package(limits=limits(unanswered_per_30_days=1)))
    await pacer.hold(assigned(2))
    assert len(await released_over(pacer, timedelta(hours=2), timedelta(minutes=10))) == 1
    assert await follow(pacer, "201100000000", "201100000009")
    assert await released_over(pacer, timedelta(hours=2), timedelta(minutes=10)) == []
    await pacer.receive_message("201100000009")
    assert len(await released_over(pacer, timedelta(hours=2), timedelta(minutes=10))) == 1


async def test_a_number_that_is_no_contact_has_nothing_to_continue(pacer: Pacer) -> None:
    pacer.config.configure(package())
    assert not await follow(pacer, "201100000000", "201100000009")


async def test_only_the_first_message_to_a_recipient_is_a_new_contact(pacer: Pacer) -> None:
    pacer.config.configure(package(limits=limits(new_contacts_per_day=1)))
    await pacer.hold(assigned(1), assigned(1, message_id="msg_2"))
    released = await released_over(pacer, timedelta(hours=2), timedelta(minutes=10))
    assert [each.message_id for each in released] == ["msg_1", "msg_2"]


async def test_the_budget_of_unanswered_contacts_binds_and_an_answer_gives_one_back(pacer: Pacer) -> None:
    pacer.config.configure(package(limits=limits(unanswered_per_30_days=2)))
    await pacer.hold(assigned(5))
    assert len(await released_over(pacer, 2 * DAY, timedelta(hours=1))) == 2
    await pacer.receive_message("201100000000")
    assert len(await released_over(pacer, 2 * DAY, timedelta(hours=1))) == 1
    pacer.now += timedelta(days=27)  # the second contact is over 30 days old: its place is free again
    assert len(await released_over(pacer, timedelta(hours=3), timedelta(hours=1))) == 1


async def test_a_recipient_gets_no_more_a_day_than_allowed_from_all_profiles_together(pacer: Pacer) -> None:
    pacer.config.configure(package(profiles=2, limits=limits(per_recipient_per_day=2)))
    for number, profile in enumerate(("p0", "p1", "p0", "p1")):
        await pacer.hold(assigned(1, message_id=f"msg_{number}", profile=profile))
    assert len(await released_over(pacer, timedelta(hours=23), timedelta(minutes=10))) == 2
    assert len(await released_over(pacer, DAY, timedelta(minutes=10))) == 2


async def test_a_full_recipient_limit_does_not_block_deliveries_behind_it(pacer: Pacer) -> None:
    pacer.config.configure(package(limits=limits(per_recipient_per_day=1)))
    await pacer.hold(assigned(1, message_id="msg_1"))
    await pacer.hold(*(assigned(1, message_id=f"msg_again_{number}") for number in range(5)))
    await pacer.hold(assigned(2, message_id="msg_2"))  # the second of these is somebody else
    released = await released_over(pacer, timedelta(hours=2), timedelta(minutes=10))
    assert [each.recipient for each in released] == ["201100000000", "201100000001"]


async def test_quiet_hours_are_by_the_recipients_own_clock(pacer: Pacer) -> None:
    """Cairo is two hours ahead of UTC in February: 21:00 there is 19:00 UTC."""
    quiet = package(limits=WIDE).model_copy(update={"recipient_quiet_hours": QuietHours(start=time(21), hours=12)})
    pacer.config.configure(quiet)
    pacer.now = datetime(2026, 2, 10, 18, 50, tzinfo=UTC)
    await pacer.hold(assigned(60))
    released = await released_over(pacer, DAY, timedelta(minutes=5))
    moments = [each.released_at for each in released]
    assert len(moments) == 60
    evening, morning = datetime(2026, 2, 10, 19, tzinfo=UTC), datetime(2026, 2, 11, 7, tzinfo=UTC)
    assert [moment for moment in moments if evening <= moment < morning] == []
    assert min(moments) < evening
    assert max(moments) >= morning


async def test_lifted_quiet_hours_release_parked_deliveries(pacer: Pacer) -> None:
    quiet = package(limits=WIDE).model_copy(update={"recipient_quiet_hours": QuietHours(start=time(12), hours=12)})
    pacer.configure(quiet)
    await pacer.hold(assigned(3))
    assert await pacer.release() == []
    pacer.configure(package(limits=WIDE))
    await pacer.release_loop.run_pass()
    assert (await pacer.states())["released"] == 1


async def test_a_smart_delivery_goes_in_the_hour_in_which_its_recipient_reads(pacer: Pacer) -> None:
    pacer.config.configure(package(limits=WIDE))
    reader = "201100000000"
    await pacer.hold(*(assigned(1, message_id=f"msg_{number}") for number in range(30)))
    for each in await released_over(pacer, DAY, timedelta(minutes=20)):
        at = datetime(2026, 1, 20, 15, 30, tzinfo=UTC)  # 17:30 in Cairo
        read = DeliveryOutcome(
            package_id="one",
            message_id=each.message_id,
            delivery_id=each.delivery_id,
            recipient=reader,
            lane="open",
            status="read",
            at=at,
            profile_id="p0",
        )
        await pacer.settle(read)
    pacer.now = START + 40 * DAY
    await pacer.hold(assigned(1, message_id="msg_smart", options=OpenOptions(waiting_strategy="smart")))
    (released,) = await released_over(pacer, DAY, timedelta(minutes=5))
    hour = datetime(2026, 3, 22, 15, tzinfo=UTC)
    assert hour <= released.released_at < hour + timedelta(hours=1)


async def test_an_explanation_names_every_bound_and_the_queue_every_factor(pacer: Pacer) -> None:
    resting = package(limits=limits(per_hour=1)).model_copy(update={"rest_window": RestWindow(start=time(1), hours=4)})
    pacer.config.configure(resting)
    await pacer.hold(assigned(3))
    (first,) = await pacer.release()
    await pacer.report("sent", first)
    explanation = members(await pacer.explainer.delivery(assigned(3).deliveries[1].delivery_id))
    assert (explanation["state"], explanation["bound"], explanation["ahead"]) == ("held", "hour limit", 0)
    assert set(explanation["bounds"]) == {"gap", "hour limit"}
    gone = members(await pacer.explainer.delivery(first.delivery_id))
    assert (gone["state"], "bound" in gone) == ("settled", False)
    assert await pacer.explainer.delivery("dlv_nobody") is None
    queue = members(await pacer.explainer.queue("one"))
    (profile,) = queue["profiles"]
    assert (queue["held"], profile["held"], profile["due"], profile["bound"]) == (2, 2, 2, "hour limit")
    assert profile["limits"]["hour limit"] == {"used": 1, "limit": 1}
    factors = profile["factors"]
    assert factors["pressure"] == 0.5
    assert factors["slack_seconds"] == pytest.approx(0.08 * 3_600 * factors["position"], abs=1e-5)
    assert explanation["next_release"] == START + timedelta(seconds=3_600 + factors["slack_seconds"])
    assert await pacer.explainer.queue("two") is None


async def test_an_explanation_counts_deliveries_ahead_and_concurrent_sends(pacer: Pacer) -> None:
    pacer.config.configure(package(profiles=2, limits=WIDE, concurrent=1))
    await pacer.hold(assigned(4, profiles=2))
    second = assigned(4, profiles=2).deliveries[2].delivery_id
    explanation = members(await pacer.explainer.delivery(second))
    assert (explanation["ahead"], explanation["bound"], explanation["next_release"]) == (1, "deliveries ahead", None)
    assert len(await pacer.release()) == 1
    explanation = members(await pacer.explainer.delivery(second))
    assert explanation["bound"] == "concurrent sends"


async def test_only_the_first_delivery_is_promised_the_next_release(pacer: Pacer) -> None:
    """Fails if every delivery in the queue is promised the end of the gap."""
    await pacer.hold(assigned(3))
    await pacer.report("sent", *await pacer.release())
    _, second, third = (each.delivery_id for each in assigned(3).deliveries)
    explanation = [members(await pacer.explainer.delivery(each)) for each in (second, third)]
    shown = [(each["bound"], each["next_release"] is None, set(each["bounds"])) for each in explanation]
    assert shown == [("gap", False, {"gap"}), ("deliveries ahead", True, {"gap", "deliveries ahead"})]


async def test_contacts_and_read_hours_are_forgotten_after_180_days(pacer: Pacer) -> None:
    rows = text("""
INSERT INTO pacer.contact (profile_id, recipient, last_release, wrote_at)
SELECT 'p0', recipient, CAST(:now AS timestamptz) - make_interval(days => released),
       CAST(:now AS timestamptz) - make_interval(days => wrote)
FROM (VALUES ('old', 200, 181), ('wrote', 200, 179), ('released', 179, NULL)) AS days (recipient, released, wrote)""")
    hours = text("""
INSERT INTO pacer.habit (package_id, recipient, hour, readings, touched_at)
VALUES ('one', 'reader', 9, 4, now() - interval '181 days'), ('one', 'reader', 10, 1, now() - interval '179 days')""")
    async with pacer.engine.begin() as connection:
        await connection.execute(rows, {"now": pacer.now})
        await connection.execute(hours)
    assert await QueueMaintenance(pacer.engine, pacer.clock, lambda: None).retention().delete_old(100) == 1
    async with pacer.engine.connect() as connection:
        contacts = await connection.execute(text("SELECT recipient FROM pacer.contact ORDER BY 1"))
        assert contacts.scalars().all() == ["released", "wrote"]
        assert (await connection.execute(text("SELECT hour FROM pacer.habit"))).scalars().all() == [10]


async def test_a_pause_is_named_also_by_deliveries_behind_others(pacer: Pacer) -> None:
    """Red before: the second delivery of a paused package only said that others were ahead of it."""
    await pacer.hold(assigned(3))
    pacer.config.configure(package().model_copy(update={"paused": True}))
    third = assigned(3).deliveries[2].delivery_id
    explanation = members(await pacer.explainer.delivery(third))
    assert (explanation["bound"], explanation["ahead"], explanation["next_release"]) == ("package paused", 2, None)
    assert explanation["why"] == "The package is paused. Resume it to go on."
